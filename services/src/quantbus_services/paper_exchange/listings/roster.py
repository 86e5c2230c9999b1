"""The market list at an instant: what the source has, as the market events so far have changed it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from quantbus_contracts.errors import ConfigError
from quantbus_services.paper_exchange.listings.events import MarketEvent, MarketEvents
from quantbus_services.paper_exchange.listings.listings import Kind, Listing, parse_pair
from quantbus_services.paper_exchange.series import ceil_to

__all__ = ["Entry", "Roster"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One market as it stands at an instant.

    Attributes
    ----------
    listing
        Its name and steps.
    series
        What the source calls it.
    opened_ms, halted_ms
        When trading began and ended by an event; None if no event says so.
    ticks
        Since when prices have had how many decimals: as in the source from the start, then every change so far.
    """

    listing: Listing
    series: str
    opened_ms: int | None = None
    halted_ms: int | None = None
    ticks: tuple[tuple[int, int], ...] = ()

    def listing_at(self, moment_ms: int) -> Listing:
        """Return the listing with the price step of an earlier moment."""
        decimals = [decimals for since, decimals in self.ticks if since <= moment_ms]
        return replace(self.listing, price_decimals=decimals[-1]) if decimals else self.listing

    @property
    def is_plain(self) -> bool:
        """Tell whether its bars are just the source's."""
        return self.opened_ms is None and self.halted_ms is None and not self.ticks


class Roster:
    """Replays the events of one kind of market over the listings of a source.

    A market that an event lists is not there before that event. Events take effect where the next bar of
    ``step_ms`` opens, so that no bar belongs to two states.
    """

    def __init__(
        self, listings: Mapping[str, Listing], events: MarketEvents, *, kind: Kind, step_ms: int
    ) -> None:
        """Read ``listings`` and ``events`` anew whenever they grow."""
        self._listings = listings
        self._events = events
        self._kind: Kind = kind
        self._step_ms = step_ms
        self._known: tuple[int, int] = (-1, -1)
        self._bounds: list[int] = []
        self._states: list[Mapping[str, Entry]] = []

    def entries(self, now_ms: int) -> Mapping[str, Entry]:
        """Return the markets listed at ``now_ms`` by their names."""
        self._replay_if_grown()
        state = 0
        while state < len(self._bounds) and self._bounds[state] <= now_ms:
            state += 1
        return self._states[state]

    def changes(self) -> Sequence[int]:
        """Return the instants at which an event takes effect, oldest first."""
        self._replay_if_grown()
        return self._bounds

    def check(self, event: MarketEvent) -> None:
        """Refuse an event that does not fit the market list at its time.

        Raises
        ------
        ConfigError
            Naming what is listed then.
        """
        at = self._effective(event)
        entries = dict(self.entries(at))
        name = _name(event.pair)
        if event.kind == "list":
            if name in entries:
                raise ConfigError(f"{event.pair} is listed already; list another pair, or remove it first")
        elif name not in entries:
            raise ConfigError(f"expected one of {', '.join(entries) or 'no markets'}, found {event.pair!r}")
        if event.to is not None and _name(event.to) in entries:
            raise ConfigError(f"{event.to} is listed already; rename to another pair")

    def _effective(self, event: MarketEvent) -> int:
        return ceil_to(self._step_ms, event.at_ms)

    def _replay_if_grown(self) -> None:
        if self._known != (self._events.version, len(self._listings)):
            self._replay()

    def _replay(self) -> None:
        events = self._events.of(self._kind)
        first: dict[str, MarketEvent] = {}
        for event in events:
            first.setdefault(_name(event.pair), event)
        born = {name for name, event in first.items() if event.kind == "list"}
        entries = {name: Entry(listing, name) for name, listing in self._listings.items() if name not in born}
        self._bounds, self._states = [], [MappingProxyType(dict(entries))]
        for event in events:
            self._apply(event, entries)
            self._bounds.append(self._effective(event))
            self._states.append(MappingProxyType(dict(entries)))
        self._known = (self._events.version, len(self._listings))

    def _apply(self, event: MarketEvent, entries: dict[str, Entry]) -> None:
        at, name = self._effective(event), _name(event.pair)
        if event.kind == "list":
            if name in self._listings and name not in entries:
                entries[name] = Entry(self._listings[name], name, opened_ms=at)
            return
        entry = entries.get(name)
        if entry is None:
            return
        if event.kind == "delist":
            entries[name] = replace(entry, halted_ms=entry.halted_ms or at)
        elif event.kind == "tick" and event.price_decimals is not None:
            listing = replace(entry.listing, price_decimals=event.price_decimals)
            ticks = (*(entry.ticks or ((0, entry.listing.price_decimals),)), (at, event.price_decimals))
            entries[name] = replace(entry, listing=listing, ticks=ticks)
        else:
            del entries[name]
            if event.to is not None:
                base, quote = parse_pair(event.to)
                listing = replace(entry.listing, base=base, quote=quote)
                entries[listing.name] = replace(entry, listing=listing)


def _name(pair: str) -> str:
    return "".join(parse_pair(pair))
