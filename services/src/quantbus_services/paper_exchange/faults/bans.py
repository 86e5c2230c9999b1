"""Times in which the exchange wants to be left alone, and who did not do so."""

from dataclasses import dataclass

from quantbus_services.paper_exchange.faults.exchange import Quiet

__all__ = ["QuietTimes"]


@dataclass(slots=True)
class QuietTimes:
    """The newest ban and the newest pause, in the exchange's time, with counts of requests inside.

    Attributes
    ----------
    bans, pauses
        How many began.
    inside_ban, inside_pause
        Requests that came although the client had been told when to come again. Zero is what a client
        that may be trusted with an account shows.
    crossing
        Requests that came within ``crossing_ms`` of the answer that asked for quiet: they were on their way.
    """

    crossing_ms: float = 250.0
    banned_until_ms: int = 0
    paused_until_ms: int = 0
    bans: int = 0
    pauses: int = 0
    inside_ban: int = 0
    inside_pause: int = 0
    crossing: int = 0
    _asked_at_ms: int = 0

    def begin(self, quiet: Quiet, now_ms: int) -> None:
        """Note that a client has just been told to keep quiet."""
        until = now_ms + int(quiet.seconds * 1000)
        self._asked_at_ms = now_ms
        if quiet.is_ban:
            self.bans += 1
            self.banned_until_ms = max(self.banned_until_ms, until)
        else:
            self.pauses += 1
            self.paused_until_ms = max(self.paused_until_ms, until)

    def arrived(self, now_ms: int) -> bool:
        """Count a request; return whether a ban refuses it."""
        is_banned = now_ms < self.banned_until_ms
        if is_banned or now_ms < self.paused_until_ms:
            if now_ms - self._asked_at_ms < self.crossing_ms:
                self.crossing += 1
            elif is_banned:
                self.inside_ban += 1
            else:
                self.inside_pause += 1
        return is_banned

    def lift(self) -> None:
        """End a ban or pause early; the counts stay."""
        self.banned_until_ms = self.paused_until_ms = 0

    def counts(self) -> dict[str, int]:
        """Return the counts."""
        return {
            "bans": self.bans,
            "pauses": self.pauses,
            "inside_ban": self.inside_ban,
            "inside_pause": self.inside_pause,
            "crossing": self.crossing,
        }
