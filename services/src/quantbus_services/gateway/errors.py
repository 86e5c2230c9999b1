"""Errors as clients see them: one shape, a closed list of codes, nothing of our insides and no secret."""

from enum import StrEnum
from http import HTTPStatus
from math import ceil
from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from quantbus_contracts.errors import BusUnavailable, QuantbusError
from quantbus_services.gateway.reports import Report

__all__ = [
    "ApiError",
    "Code",
    "Detail",
    "Problem",
    "add_error_handlers",
    "problem_response",
    "problems",
    "unconfirmed",
]


class Code(StrEnum):
    """What went wrong, for programs."""

    BAD_REQUEST = "bad_request"
    BAD_JSON = "bad_json"
    SECRET_IN_BODY = "secret_in_body"  # noqa: S105  # the name of an error
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    TIMED_OUT = "timed_out"
    TOO_LARGE = "too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    INVALID = "invalid"
    NOTHING_ACCEPTED = "nothing_accepted"
    RATE_LIMITED = "rate_limited"
    INTERNAL = "internal"
    BUSY = "busy"
    BUS_UNAVAILABLE = "bus_unavailable"
    UNCONFIRMED = "unconfirmed"


class Detail(BaseModel):
    """One thing that is wrong with the request."""

    field: str
    reason: str


class _Body(BaseModel):
    code: Code
    message: Annotated[str, Field(description="For people: what was expected, and what to do.")]
    details: list[Detail] | None = None
    report: Report | None = None


class Problem(BaseModel):
    """What every answer but a good one looks like."""

    error: _Body


class ApiError(Exception):
    """Ends a request with an answer; ``message`` is shown to the client."""

    def __init__(
        self,
        status: HTTPStatus,
        code: Code,
        message: str,
        *,
        retry_after_seconds: float | None = None,
        details: list[Detail] | None = None,
        report: Report | None = None,
    ) -> None:
        """Say what the client is told."""
        super().__init__(message)
        self.status = status
        self.problem = Problem(error=_Body(code=code, message=message, details=details, report=report))
        self.headers = {}
        if retry_after_seconds is not None:
            self.headers["Retry-After"] = str(max(1, ceil(retry_after_seconds)))
        if status is HTTPStatus.UNAUTHORIZED:
            self.headers["WWW-Authenticate"] = 'Bearer realm="quantbus"'


def problem_response(error: ApiError) -> JSONResponse:
    """Return the answer that tells of ``error``."""
    return JSONResponse(
        error.problem.model_dump(mode="json", exclude_none=True), error.status, headers=error.headers
    )


def problems(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """Return what the OpenAPI says of the answers with these statuses."""
    return {status.value: {"model": Problem, "description": status.phrase} for status in statuses}


_RETRY_SECONDS = 2
_OF_STATUS = {
    HTTPStatus.NOT_FOUND: (Code.NOT_FOUND, "there is nothing at this address; see /openapi.json"),
    HTTPStatus.METHOD_NOT_ALLOWED: (Code.METHOD_NOT_ALLOWED, "this address takes other methods; see Allow"),
}


def bus_unavailable() -> ApiError:
    """Return the error for a bus that did not answer."""
    return ApiError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        Code.BUS_UNAVAILABLE,
        "the bus did not answer in time; send the same request again, which is always safe",
        retry_after_seconds=_RETRY_SECONDS,
    )


def unconfirmed(report: Report) -> ApiError:
    """Return the error for rows of which the bus did not say what became of them."""
    return ApiError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        Code.UNCONFIRMED,
        f"the bus did not confirm {report.unknown} rows; send the same request again, which is always safe",
        retry_after_seconds=_RETRY_SECONDS,
        report=report,
    )


def _internal() -> ApiError:
    return ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, Code.INTERNAL, "something broke here; it was logged")


def add_error_handlers(app: FastAPI) -> None:
    """Make ``app`` answer every failure in the one shape."""

    @app.exception_handler(ApiError)
    async def known(_: Request, error: ApiError) -> JSONResponse:
        return problem_response(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        details = [
            Detail(field=".".join(str(part) for part in item["loc"][1:])[:100], reason=str(item["msg"])[:300])
            for item in error.errors()[:20]
        ]
        return problem_response(
            ApiError(
                HTTPStatus.UNPROCESSABLE_ENTITY, Code.INVALID, "the request is not valid", details=details
            )
        )

    @app.exception_handler(HTTPException)
    async def plain(_: Request, error: HTTPException) -> JSONResponse:
        status = HTTPStatus(error.status_code)
        code, message = _OF_STATUS.get(status, (Code.BAD_REQUEST, status.phrase))
        answer = ApiError(status, code, message)
        answer.headers.update(error.headers or {})
        return problem_response(answer)

    @app.exception_handler(QuantbusError)
    async def of_the_bus(_: Request, error: QuantbusError) -> JSONResponse:
        if isinstance(error, BusUnavailable):
            return problem_response(bus_unavailable())
        raise error

    @app.exception_handler(Exception)
    async def unforeseen(_: Request, __: Exception) -> JSONResponse:
        return problem_response(_internal())
