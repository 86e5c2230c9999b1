"""Who is signed in: sessions in memory, each bound to an admin key and to a token that its forms carry."""

import hmac
import secrets
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from quantbus_contracts.schema.api_key import ApiKey

__all__ = ["Failures", "Session", "Sessions"]

LASTS = timedelta(hours=8)
"""A watch; after that the key is asked for again."""
_MOST_SESSIONS = 50


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in browser."""

    session_id: str = field(repr=False)
    form_token: str = field(repr=False)
    key_id: str
    name: str
    strategies: tuple[str, ...]
    expires_at: datetime

    @property
    def by(self) -> str:
        """How what was done is signed."""
        return f"{self.name} (key {self.key_id}, status page)"

    def may_restrain(self, scope: str) -> bool:
        """Tell whether the key reaches as far as ``scope``: one for some strategies reaches those only."""
        kind, _, name = scope.partition(":")
        return not self.strategies or (kind == "strategy" and name in self.strategies)

    def sent(self, form: Mapping[str, str]) -> bool:
        """Tell whether a form came from a page of this session."""
        return hmac.compare_digest(form.get("token", "").encode(), self.form_token.encode())


class Sessions:
    """Sessions by id; bounded, forgotten at a restart."""

    def __init__(self) -> None:
        """Begin without any."""
        self._open: OrderedDict[str, Session] = OrderedDict()

    def begin(self, key: ApiKey, now: datetime) -> Session:
        """Open a session for a key that was found good."""
        expires_at = now + LASTS if key.expires_at is None else min(now + LASTS, key.expires_at)
        session = Session(
            session_id=secrets.token_urlsafe(32),
            form_token=secrets.token_urlsafe(32),
            key_id=key.key_id,
            name=key.name,
            strategies=key.strategies,
            expires_at=expires_at,
        )
        self._open[session.session_id] = session
        if len(self._open) > _MOST_SESSIONS:
            self._open.popitem(last=False)
        return session

    def of(self, session_id: str | None, now: datetime) -> Session | None:
        """Return the open session of this id."""
        session = self._open.get(session_id or "")
        if session is not None and session.expires_at <= now:
            self.end(session)
            return None
        return session

    def end(self, session: Session) -> None:
        """Close a session."""
        self._open.pop(session.session_id, None)


class Failures:
    """Counts failed attempts to sign in, whoever made them: a key cannot be guessed, but the bus would be asked."""

    def __init__(self, *, most: int = 10, within: timedelta = timedelta(minutes=1)) -> None:
        """Allow ``most`` within that time."""
        self._most = most
        self._within = within
        self._failed: deque[datetime] = deque(maxlen=most)

    def used_up(self, now: datetime) -> bool:
        """Tell whether nobody is heard for a while."""
        return len(self._failed) == self._most and abs(now - self._failed[0]) < self._within

    def add(self, now: datetime) -> None:
        """Count one."""
        self._failed.append(now)
