"""One way to log: structured events, JSON in containers, secrets never.

Modules call ``structlog.get_logger(__name__)``; only ``main`` configures. Addresses with a password in them
are redacted in every rendered line, whoever logged them.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

__all__ = ["configure", "redact"]

_CREDENTIALS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^/\s:@]*:[^/\s@]+@", re.IGNORECASE)
_SECRET_PAIR = re.compile(
    r"(?P<name>(?:password|passwd|secret|token|api_?key|authorization)['\"]?\s*[=:]\s*['\"]?)[^\s'\",}]+",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """Return ``text`` without credentials in addresses and without values of secret-looking names."""
    text = _CREDENTIALS.sub(r"\g<scheme>***@", text)
    return _SECRET_PAIR.sub(r"\g<name>***", text)


class _RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


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
    if json:
        last.append(structlog.processors.format_exc_info)
    handler.setFormatter(_RedactingFormatter(foreign_pre_chain=shared, processors=[*last, renderer]))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for chatty in ("httpx", "httpcore", "uvicorn.access", "pymongo"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
