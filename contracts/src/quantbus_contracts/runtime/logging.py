"""One way to log: structured events, JSON in containers, secrets never.

Modules call ``structlog.get_logger(__name__)``; only ``main`` configures. Every rendered line goes through
`quantbus_contracts.runtime.redaction`, tracebacks and third parties' lines too, and so does what ends the process.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from quantbus_contracts.runtime.redaction import redact, redact_value

__all__ = ["configure"]


class _RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    """For people: the whole line at once, whatever made it."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def _redact_event(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """For machines: value by value, so that JSON stays JSON."""
    return {name: redact_value(value) for name, value in event.items()}


def _add_process(process: str) -> structlog.typing.Processor:
    def bind(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["process"] = process
        return event

    return bind


def configure(process: str, *, level: str = "info", json: bool = False) -> None:
    """Set up logging for this process: everything, third parties included, in one form on stderr."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_process(process),
        structlog.processors.StackInfoRenderer(),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if json
        # Not the default formatter: it prints the local variables of every frame, secrets and whole tables too.
        else structlog.dev.ConsoleRenderer(
            colors=False, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    last: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    form: type[structlog.stdlib.ProcessorFormatter] = _RedactingFormatter
    if json:
        last += [structlog.processors.format_exc_info, _redact_event]
        form = structlog.stdlib.ProcessorFormatter
    handler.setFormatter(form(foreign_pre_chain=shared, processors=[*last, renderer]))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for chatty in ("httpx", "httpcore", "uvicorn.access", "pymongo"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
