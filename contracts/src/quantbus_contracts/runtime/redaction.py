"""Takes secrets out of text: those it was told of in every spelling, and whatever else looks like one.

Two nets, since either has holes. `conceal` is told each secret that settings hold, and finds it again however it
was quoted, encoded or escaped; patterns find credentials in addresses, values of secret-looking names, tokens
and keys that nobody told it of. Text that only looks like a secret goes too.
"""

import base64
import html
import json
import re
import sys
import threading
import traceback
from collections.abc import Mapping
from types import TracebackType
from urllib.parse import quote, quote_plus, unquote, unquote_plus

__all__ = [
    "SHORTEST_SECRET",
    "Redactor",
    "conceal",
    "conceal_address",
    "redact",
    "redact_uncaught",
    "redact_value",
]

SHORTEST_SECRET = 4
"""Characters; what is shorter would blank out half of every line, and is no secret either."""

_MARK = "***"
_SCHEME = r"(?P<scheme>[a-z][a-z0-9+.-]*:(?:\\?/){2})"  # JavaScript writes \/ for /
# Up to the last @ of the word: people forget to escape a / or an @ in their passwords.
_CREDENTIALS = re.compile(_SCHEME + r"[^\s\"'<>]*@", re.IGNORECASE)
# Cut off before its @: what stands where a port would, and is none.
_CUT_CREDENTIALS = re.compile(
    _SCHEME + r"[^\s/@:\[\"'<>*]+:(?!\d{1,5}(?![^\s/,?#\"'<>\\)\]};.]))(?:[^\s\"'<>\\]|\\[^\"'])+",
    re.IGNORECASE,
)
_BARE = r"(?:[^\s'\",;&}\])\\]|\\[^\"'])+"  # never the backslash of an escaped quote: JSON must stay JSON
_NAMES = (
    r"(?:pass(?:word|wd|phrase)|\bpass|pwd|secret|token|signature|credentials?|authorization|cookie"
    r"|(?:api|private|access|secret)[_-]?key)"
)
_SECRET_KEY = re.compile(_NAMES + "$", re.IGNORECASE)
_SECRET_PAIR = re.compile(
    r"(?P<name>" + _NAMES + r"(?P<key>\\*['\"])?)"
    r"(?P<between>\s*[=:]>?\s*)"
    r"(?:b?(?P<quote>\\*\"|\\*')(?:(?:(?!(?P=quote)).|(?<=\\)(?P=quote))*(?P=quote)|" + _BARE + r")"
    r"|(?:bearer|basic|digest|token)\s+" + _BARE + r"|[a-z_.]+\([^)\\]*\)|" + _BARE + r")",
    re.IGNORECASE | re.DOTALL,
)
_SECRET_OPTION = re.compile(r"[?&;][^=&;]*(?:password|token)[^=&;]*=([^&;]+)", re.IGNORECASE)
_TOKEN = re.compile(r"\b(?P<kind>bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_GATEWAY_SECRET = re.compile(r"(qb[kh]_[0-9a-f]{12}_)[A-Za-z0-9_-]+", re.IGNORECASE)
_PERCENT = re.compile(r"%[0-9A-F]{2}")
_PRIVATE_KEY = re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(-----END|$)", re.DOTALL)


class Redactor:
    """Takes secrets out of text. A process has one (`conceal`, `redact`); a test makes its own."""

    def __init__(self) -> None:
        """Know no secret yet."""
        self._spellings: tuple[str, ...] = ()

    def conceal(self, secret: str) -> None:
        """Blank out ``secret``, in any spelling, from now on."""
        if len(secret) < SHORTEST_SECRET:
            return
        fresh = {spelling for spelling in _spellings(secret) if len(spelling) >= SHORTEST_SECRET}
        longest_first = sorted(fresh | set(self._spellings), key=lambda spelling: (-len(spelling), spelling))
        self._spellings = tuple(longest_first)

    def conceal_address(self, address: str) -> None:
        """Blank out what may be a password in an address, as it stands there and decoded; user and hosts stay."""
        for option in _SECRET_OPTION.findall(address):
            self.conceal(option)
        _, found, rest = address.partition("://")
        if not found or "@" not in rest:
            return
        user, _, password = rest.rpartition("@")[0].partition(":")
        for part in {
            password,
            *re.split(r"[/?#@:]", password),
        }:  # where a parser breaks it for want of an escape
            self.conceal(part)
        pair = f"{unquote(user)}:{unquote(password)}"
        self.conceal(base64.b64encode(pair.encode(errors="replace")).decode())

    def redact(self, text: str) -> str:
        """Return ``text`` without secrets; what is taken out becomes ``***``."""
        for spelling in self._spellings:
            if spelling in text:
                text = text.replace(spelling, _MARK)
        text = _PRIVATE_KEY.sub(rf"\1{_MARK}\2", text)
        text = _GATEWAY_SECRET.sub(rf"\1{_MARK}", text)
        text = _CREDENTIALS.sub(rf"\g<scheme>{_MARK}@", text)
        text = _CUT_CREDENTIALS.sub(rf"\g<scheme>{_MARK}", text)
        text = _SECRET_PAIR.sub(_without_value, text)
        return _TOKEN.sub(rf"\g<kind> {_MARK}", text)

    def redact_value(self, value: object) -> object:
        """Return a value of a log line without secrets: text, and text in dicts and lists; others by their repr."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {
                self.redact(str(key)): _MARK if _SECRET_KEY.search(str(key)) else self.redact_value(held)
                for key, held in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self.redact_value(item) for item in value]
        return self.redact(value if isinstance(value, str) else repr(value))


_OF_THIS_PROCESS = Redactor()
conceal = _OF_THIS_PROCESS.conceal
conceal_address = _OF_THIS_PROCESS.conceal_address
redact = _OF_THIS_PROCESS.redact
redact_value = _OF_THIS_PROCESS.redact_value


def redact_uncaught() -> None:
    """Let what ends the process, or a thread of it, be told without secrets; tracebacks print messages of drivers."""

    def tell(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))

    sys.excepthook = tell
    threading.excepthook = lambda told: tell(told.exc_type, told.exc_value, told.exc_traceback)


def _without_value(found: re.Match[str]) -> str:
    name, between = found["name"], found["between"]
    if found["quote"] is None and name.isupper() and between == ": ":
        return found[0]  # a sentence about a variable, such as our own "QUANTBUS_…_PASSWORD: expected …"
    quote_mark = found["quote"] or found["key"] or ""
    return f"{name}{between}{quote_mark}{_MARK}{quote_mark}"


def _spellings(secret: str) -> set[str]:
    """Return the secret as it may come out of a driver, a logger, a page or a header."""
    plain = {secret, unquote(secret), unquote_plus(secret), *(line.strip() for line in secret.splitlines())}
    found = set(plain)
    for text in plain:
        found |= {quote(text, safe=""), quote(text), quote_plus(text), html.escape(text)}
        found.add(base64.b64encode(text.encode(errors="surrogatepass")).decode())
    found |= {_PERCENT.sub(lambda code: code[0].lower(), text) for text in found}
    for text in set(found):
        for escaped in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]):
            # once more for JSON inside JSON, and a repr inside either
            for spelling in (escaped, json.dumps(escaped)[1:-1], repr(escaped)[1:-1]):
                found |= {spelling, spelling.replace("'", "\\'"), spelling.replace("/", "\\/")}
    return found
