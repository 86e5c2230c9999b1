"""Who may ask the control routes: programs on this machine, and no page in a browser on it."""

import ipaddress
from urllib.parse import urlsplit

from starlette.requests import Request

from quantbus_services.paper_exchange.binance.queries import Refusal

__all__ = ["check_local", "is_local"]

_FOREIGN = ("origin", "forwarded", "x-forwarded-for", "x-real-ip")
"""Headers that only browsers and proxies send: neither speaks for a program on this machine."""


def check_local(request: Request) -> None:
    """Refuse whoever `is_local` does not let in.

    Raises
    ------
    Refusal
        With -1002 and status 403.
    """
    if not is_local(request):
        raise Refusal(-1002, "/paper answers to programs on this machine only", status=403)


def is_local(request: Request) -> bool:
    """Tell whether a program on this machine asks, under a name of this machine.

    A page whose name was made to point here comes from this machine as well, and as its own origin; what gives
    it away is the name in ``Host``.
    """
    if request.client is None or any(name in request.headers for name in _FOREIGN):
        return False
    return _is_loopback(request.client.host) and _names_this_machine(request.headers.get("host", ""))


def _names_this_machine(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name == "localhost" or _is_loopback(name)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
