"""Secrets as people carry them: ``qbk_<id>_<secret>`` for a key, ``qbh_<id>_<secret>`` for a hook.

The id is public and finds the key; of the secret only a hash is kept. The marks in front make a lost secret easy
to find in logs and repositories, and easy to keep out of ours.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field

from quantbus_contracts.schema.api_key import ApiKey, KeyKind

__all__ = ["SECRET_SHAPE", "Token", "parse_token"]

_MARKS: dict[KeyKind, str] = {"api": "qbk", "hook": "qbh"}
_KINDS: dict[str, KeyKind] = {mark: kind for kind, mark in _MARKS.items()}
_TOKEN = re.compile(r"(qbk|qbh)_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)
SECRET_SHAPE = re.compile(r"qb[kh]_[0-9a-f]{12}_[A-Za-z0-9_-]{8,}", re.ASCII | re.IGNORECASE)
"""What looks like one of our secrets, or the better part of one."""


@dataclass(frozen=True, slots=True)
class Token:
    """A key's id with its secret; the secret shows in no ``repr``."""

    kind: KeyKind
    key_id: str
    secret: str = field(repr=False)

    @classmethod
    def fresh(cls, kind: KeyKind) -> "Token":
        """Return a new token with 256 random bits."""
        return cls(kind, secrets.token_hex(6), secrets.token_urlsafe(32))

    @property
    def text(self) -> str:
        """The token as its owner keeps it; shown once."""
        return f"{_MARKS[self.kind]}_{self.key_id}_{self.secret}"

    @property
    def secret_hash(self) -> str:
        """What is stored."""
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def opens(self, key: ApiKey) -> bool:
        """Tell whether this is the secret of ``key``, in a time that says nothing about it."""
        return hmac.compare_digest(self.secret_hash, key.secret_hash) and self.kind == key.kind


def parse_token(text: str) -> Token | None:
    """Return the token that ``text`` spells; None if it spells none."""
    match = _TOKEN.fullmatch(text)
    return Token(_KINDS[match[1]], match[2], match[3]) if match else None
