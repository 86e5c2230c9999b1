"""Asking the control routes of a running exchange."""

import json
from collections.abc import Mapping
from typing import Any

import httpx

from quantbus_contracts.errors import ConfigError
from quantbus_services.paper_exchange.faults.control import PREFIX

__all__ = ["ask"]


def ask(method: str, url: str, name: str = "", values: Mapping[str, object] | None = None) -> dict[str, Any]:
    """Return what is switched on at the exchange at ``url`` after the request.

    Raises
    ------
    ConfigError
        If there is no paper exchange, or it refuses.
    """
    address = f"{url.rstrip('/')}{PREFIX}{f'/{name}' if name else ''}"
    try:
        with httpx.Client(trust_env=False, timeout=10.0) as client:
            answer = client.request(method, address, content=json.dumps(dict(values or {})))
        content = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise ConfigError(
            f"expected a paper exchange at {url}, found none ({error}); "
            "start one with `quantbus paper-exchange serve`, or name it with --url"
        ) from None
    if answer.status_code != 200 or not isinstance(content, dict):
        told = content.get("error", content) if isinstance(content, dict) else content
        raise ConfigError(f"the exchange at {url} refused: {told}")
    return content
