"""What happens to the market list, as data: a listing, a halt, a removal, a rename, other price steps."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, Self, get_args

from quantbus_contracts.errors import ConfigError
from quantbus_services.paper_exchange.listings.listings import Kind, parse_pair

__all__ = ["EventKind", "MarketEvent", "MarketEvents"]

EventKind = Literal["list", "delist", "remove", "rename", "tick"]
"""Trading begins; trading ends and the market stays visible; it vanishes; it goes on under another name;
prices get other steps."""

_FIELDS = {"at", "kind", "pair", "market", "to", "price_decimals"}
_LATER = re.compile(r"\+(?P<count>[0-9]{1,7})(?P<unit>[smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_MOST = 1_000


@dataclass(frozen=True, slots=True)
class MarketEvent:
    """One change of the market list; it takes effect where the next bar opens.

    Attributes
    ----------
    kind
        What happens.
    pair
        ``BTC/USDT``, the name at that time.
    at_ms
        When, in the exchange's time.
    market
        ``spot`` or ``swap``; None for both.
    to
        The new name of a rename.
    price_decimals
        The new price step of a tick change, as decimals.
    """

    kind: EventKind
    pair: str
    at_ms: int
    market: Kind | None = None
    to: str | None = None
    price_decimals: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot happen."""
        parse_pair(self.pair)
        if self.kind not in get_args(EventKind):
            raise ConfigError(f"expected a kind out of {', '.join(get_args(EventKind))}, found {self.kind!r}")
        if self.market not in (None, *get_args(Kind)):
            raise ConfigError(f"expected the market 'spot' or 'swap' or none, found {self.market!r}")
        if (self.to is not None) != (self.kind == "rename"):
            raise ConfigError(
                f"expected 'to' with a rename and only there, found {self.to!r} with {self.kind!r}"
            )
        if self.to is not None:
            parse_pair(self.to)
        if (self.price_decimals is not None) != (self.kind == "tick"):
            raise ConfigError(
                "expected 'price_decimals' with a tick change and only there, "
                f"found {self.price_decimals!r} with {self.kind!r}"
            )
        if self.price_decimals is not None and not 0 <= self.price_decimals <= 8:
            raise ConfigError(f"expected 0 to 8 'price_decimals', found {self.price_decimals!r}")

    @classmethod
    def parse(cls, row: object, *, now_ms: int) -> Self:
        """Read an event as JSON gives it; ``at`` is a moment, ``+10m`` after now, or missing for now.

        Raises
        ------
        ConfigError
            If a field is missing, unknown or of another form.
        """
        if not isinstance(row, Mapping) or not {"kind", "pair"} <= set(row) <= _FIELDS:
            raise ConfigError(
                f"expected a market event as an object with kind and pair (and {', '.join(sorted(_FIELDS))} "
                f"where they fit), found {row!r}"
            )
        decimals = row.get("price_decimals")
        if decimals is not None and type(decimals) is not int:
            raise ConfigError(f"expected a whole number as 'price_decimals', found {decimals!r}")
        return cls(
            kind=row["kind"],
            pair=str(row["pair"]),
            at_ms=_moment(row.get("at"), now_ms),
            market=row.get("market"),
            to=None if row.get("to") is None else str(row["to"]),
            price_decimals=decimals,
        )

    def as_row(self) -> dict[str, object]:
        """Return it as `parse` reads it."""
        moment = datetime.fromtimestamp(self.at_ms / 1000, tz=UTC)
        row = {
            "at": moment.isoformat(timespec="milliseconds"),
            "kind": self.kind,
            "pair": self.pair,
            "market": self.market,
            "to": self.to,
            "price_decimals": self.price_decimals,
        }
        return {name: value for name, value in row.items() if value is not None}


def _moment(value: object, now_ms: int) -> int:
    if value is None:
        return now_ms
    if isinstance(value, str) and (later := _LATER.fullmatch(value)):
        return now_ms + int(later["count"]) * _UNITS[later["unit"]] * 1000
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ConfigError(f"expected 'at' as 2026-01-05T12:00:00Z or +10m, found {value!r}")
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


class MarketEvents:
    """The events of one exchange in order of time; `version` grows with each one added."""

    def __init__(self, events: Iterable[MarketEvent] = ()) -> None:
        """Start with ``events``."""
        self.version = 0
        self._events: tuple[MarketEvent, ...] = ()
        for event in events:
            self.add(event)

    def add(self, event: MarketEvent) -> None:
        """Take one more event.

        Raises
        ------
        ConfigError
            If there are too many already.
        """
        if len(self._events) >= _MOST:
            raise ConfigError(f"expected at most {_MOST} market events, found one more")
        self._events = tuple(sorted((*self._events, event), key=lambda item: item.at_ms))
        self.version += 1

    def of(self, kind: Kind) -> tuple[MarketEvent, ...]:
        """Return the events of spot or of swap markets, oldest first."""
        return tuple(event for event in self._events if event.market in (None, kind))

    def all(self) -> tuple[MarketEvent, ...]:
        """Return all events, oldest first."""
        return self._events
