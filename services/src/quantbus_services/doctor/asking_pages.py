"""Asks those who keep watch over HTTP; every question is bounded."""

from collections.abc import Mapping

import httpx

from quantbus_contracts.runtime.redaction import redact
from quantbus_services.doctor.on_watch import QUESTIONS, Page, Pages

__all__ = ["pages_of"]

_LONGEST = 200
_MOST_BYTES = 8_000_000


def pages_of(addresses: Mapping[str, str | None], seconds: float) -> dict[str, Pages]:
    """Ask everyone who has an address what `QUESTIONS` has for them."""
    found: dict[str, Pages] = {}
    with httpx.Client(timeout=seconds, follow_redirects=False, trust_env=False) as client:
        for name, base in addresses.items():
            if base is not None:
                found[name] = {path: _asked(client, base.rstrip("/") + path) for path in QUESTIONS[name]}
    return found


def _asked(client: httpx.Client, url: str) -> Page:
    try:
        answer = client.get(url)
    except httpx.HTTPError as error:
        return Page(
            None, words=redact(f"{url} does not answer: {str(error) or type(error).__name__}")[:_LONGEST]
        )
    words = redact(" ".join(answer.text[:1_000].split()))[:_LONGEST]
    try:
        told = answer.json() if len(answer.content) <= _MOST_BYTES else None
    except ValueError:
        told = None
    return Page(answer.status_code, told, f"{answer.status_code} {words}")
