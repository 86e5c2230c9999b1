"""Reads a posted form: bounded, from our own pages only, each field once."""

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from fastapi import Request

from quantbus_services.monitor.pages.refusals import Refused

__all__ = ["form_of"]

_MOST_BYTES = 16_384
_MOST_FIELDS = 20
_FORM = "application/x-www-form-urlencoded"


async def form_of(request: Request) -> Mapping[str, str]:
    """Return the fields of a form that one of our pages posted.

    Raises
    ------
    Refused
        If another site posted it, or it is not such a form.
    """
    _refuse_others(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"expected a form ({_FORM}), found {kind!r}")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"expected a form of at most {_MOST_BYTES} bytes"
            )
    try:
        pairs = parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError:
        raise Refused(HTTPStatus.BAD_REQUEST, "expected the fields of a form, found something else") from None
    fields = {name: value.strip() for name, value in pairs}
    if len(fields) < len(pairs):
        raise Refused(HTTPStatus.BAD_REQUEST, "expected each field of the form once")
    return fields


def _refuse_others(request: Request) -> None:
    """Refuse what another site made the browser post; the session's own token is asked for besides."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    host = request.headers.get("host", "")
    foreign = origin is not None and urlsplit(origin).netloc != host
    if foreign or site not in ("same-origin", "none"):
        raise Refused(
            HTTPStatus.FORBIDDEN,
            "expected a form of this page, found one that another site posted; nothing was done",
        )
