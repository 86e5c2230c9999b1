"""Asks those who keep watch over HTTP; every question is bounded, also where the answer never ends."""

import asyncio
import json
from collections.abc import Mapping

import httpx

from quantbus_contracts.runtime.redaction import redact
from quantbus_services.doctor.on_watch import QUESTIONS, Page, Pages

__all__ = ["pages_of"]

_LONGEST = 200
_MOST_BYTES = 8_000_000


def pages_of(addresses: Mapping[str, str | None], seconds: float) -> dict[str, Pages]:
    """Ask everyone who has an address what `QUESTIONS` has for them, each within so many seconds."""
    return asyncio.run(_pages_of(addresses, seconds))


async def _pages_of(addresses: Mapping[str, str | None], seconds: float) -> dict[str, Pages]:
    found: dict[str, Pages] = {}
    async with httpx.AsyncClient(timeout=seconds, follow_redirects=False, trust_env=False) as client:
        for name, base in addresses.items():
            if base is not None:
                urls = {path: base.rstrip("/") + path for path in QUESTIONS[name]}
                found[name] = {path: await _asked(client, url, seconds) for path, url in urls.items()}
    return found


async def _asked(client: httpx.AsyncClient, url: str, seconds: float) -> Page:
    content = b""
    try:
        # httpx bounds each wait for the next bytes, and an answer may have any number of them
        async with asyncio.timeout(seconds), client.stream("GET", url) as answer:
            async for part in answer.aiter_bytes():
                content += part
                if len(content) > _MOST_BYTES:
                    break
    except TimeoutError:
        return Page(None, words=redact(f"{url} does not answer: no end within {seconds:g} s")[:_LONGEST])
    except httpx.HTTPError as error:
        return Page(
            None, words=redact(f"{url} does not answer: {str(error) or type(error).__name__}")[:_LONGEST]
        )
    start = content[:1_000].decode("utf-8", errors="replace")
    words = redact(" ".join(start.split()))[:_LONGEST]
    return Page(answer.status_code, _told(content), f"{answer.status_code} {words}")


def _told(content: bytes) -> object:
    try:
        return json.loads(content) if len(content) <= _MOST_BYTES else None
    except (ValueError, RecursionError):
        return None
