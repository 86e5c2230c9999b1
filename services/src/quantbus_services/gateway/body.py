"""Read a request's body, as long as it stays short enough, and what it says."""

from http import HTTPStatus

from fastapi import Request
from starlette.requests import ClientDisconnect

from quantbus_services.gateway.errors import ApiError, Code
from quantbus_services.gateway.strict_json import JsonRefused, holds_secret, parse_strictly

__all__ = ["read_json", "refuse_secrets"]


async def read_json(request: Request, *, most_bytes: int) -> object:
    """Return what the body says; counted while it arrives, so that a body without a length is bounded too.

    Raises
    ------
    ApiError
        If the body is too long or no JSON that we take.
    """
    try:
        return parse_strictly(await _read(request, most_bytes))
    except JsonRefused as error:
        raise ApiError(HTTPStatus.BAD_REQUEST, Code.BAD_JSON, str(error)) from None
    except ClientDisconnect:
        raise ApiError(HTTPStatus.BAD_REQUEST, Code.BAD_REQUEST, "the body broke off") from None


async def _read(request: Request, most_bytes: int) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > most_bytes:
        raise _too_large(most_bytes)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise _too_large(most_bytes)
    return bytes(body)


def _too_large(most_bytes: int) -> ApiError:
    return ApiError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        Code.TOO_LARGE,
        f"expected a body of at most {most_bytes} bytes; send smaller batches",
    )


def refuse_secrets(value: object) -> None:
    """Refuse a body with one of our secrets in it: rows are stored, and shown to whoever may read.

    Raises
    ------
    ApiError
        If there is one.
    """
    if holds_secret(value):
        raise ApiError(
            HTTPStatus.BAD_REQUEST,
            Code.SECRET_IN_BODY,
            "a quantbus secret stands where none belongs; nothing was stored. Others may have seen it: revoke "
            "that key (`quantbus keys revoke`)",
        )
