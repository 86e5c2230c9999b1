"""The shadow beside the live strategy: where they said the same, where not, and what following each came to."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.market import MarketQuery
from quantbus_contracts.ports import SignalReader, StrategyStore
from quantbus_contracts.schema import PublishedSignal, Signal, Strategy
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.evaluation import rank_correlation
from quantbus_research.workflows.backtest import Outcome

__all__ = ["Comparison", "Entry", "PairAgreement", "Voice", "compare_voices", "read_voices"]

_FEW_TRADES = 30


@dataclass(frozen=True, slots=True)
class Voice:
    """What one strategy said live about the bars that both were evaluated for."""

    strategy: Strategy
    signals: tuple[PublishedSignal, ...]
    backfill: int
    """Rows of those bars that were said afterwards; they never trade and are left out."""

    @property
    def strategy_id(self) -> str:
        """Under which it speaks."""
        return self.strategy.strategy_id


@dataclass(frozen=True, slots=True)
class Entry:
    """A position that one of them entered, by its own word, and the other did not at that bar."""

    bar: datetime
    pair: str
    strategy_id: str
    score: float | None


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """How the two compare on one pair.

    Attributes
    ----------
    bars
        Both were evaluated for so many.
    same_word
        Bars at which both said the same: the same action, the same weight, or nothing.
    same_side
        Bars after which both were on the same side by their own words, beginning flat.
    """

    pair: str
    bars: int
    same_word: int
    same_side: int
    entries_of_both: int
    entries_of_live_only: int
    entries_of_shadow_only: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """The live strategy and its shadow over the bars that both were evaluated for.

    Attributes
    ----------
    score_correlation
        Spearman's, over the words that both said about the same bar and pair (``scores_compared``); None where they
        are fewer than three or do not vary.
    live_result, shadow_result
        What following each came to after costs; None where it said nothing.
    """

    live: Voice
    shadow: Voice
    bars: tuple[datetime, ...]
    pairs: tuple[PairAgreement, ...]
    entries: tuple[Entry, ...]
    score_correlation: float | None
    scores_compared: int
    live_result: Outcome | None
    shadow_result: Outcome | None

    @property
    def remarks(self) -> tuple[str, ...]:
        """What should be said with the figures."""
        return tuple(
            told
            for voice, result in ((self.live, self.live_result), (self.shadow, self.shadow_result))
            for told in _remarks(voice, result)
        )

    def as_dict(self) -> dict[str, object]:
        """Return plain values, ready for JSON."""
        return {
            "live": self.live.strategy_id,
            "shadow": self.shadow.strategy_id,
            "timeframe": self.live.strategy.timeframe,
            "first_bar": self.bars[0].isoformat(),
            "last_bar": self.bars[-1].isoformat(),
            "bars": len(self.bars),
            "pairs": [asdict(pair) for pair in self.pairs],
            "entries_of_one": [asdict(entry) | {"bar": entry.bar.isoformat()} for entry in self.entries],
            "score_correlation": self.score_correlation,
            "scores_compared": self.scores_compared,
            "live_result": None if self.live_result is None else self.live_result.as_dict(),
            "shadow_result": None if self.shadow_result is None else self.shadow_result.as_dict(),
            "remarks": list(self.remarks),
        }


def read_voices(
    history: SignalReader,
    strategies: StrategyStore,
    live_id: str,
    shadow_id: str,
    since: str | datetime,
    until: str | datetime,
) -> tuple[Voice, Voice, tuple[datetime, ...]]:
    """Return what both said live about the bars of a time that both were evaluated for, and these bars.

    Raises
    ------
    ConfigError
        If one of the two is not known, no shadow ever spoke, or they have no bar or pair in common.
    """
    live = strategies.get(live_id)
    if live is None:
        raise ConfigError(f"expected a strategy on the bus, found no {live_id!r}")
    shadow = strategies.get(shadow_id)
    if shadow is None:
        raise ConfigError(
            f"expected what the shadow of {live_id} said, but no {shadow_id!r} ever spoke; start one with "
            "`quantbus research run RECIPE --loop --shadow staging`, or name its id with --shadow"
        )
    one, other = live.strategy, shadow.strategy
    if one.timeframe != other.timeframe or not set(one.pairs) & set(other.pairs):
        raise ConfigError(
            f"expected a shadow on the bars of {live_id} ({one.timeframe}, {', '.join(one.pairs)}), found {shadow_id} "
            f"on others ({other.timeframe}, {', '.join(other.pairs)})"
        )
    pairs = [pair for pair in one.pairs if pair in other.pairs]
    symbols = [Instrument.from_pair(one.venue, pair).symbol for pair in pairs]
    asked = MarketQuery.of(symbols, since, until, timeframe=one.timeframe)
    bars = _common_bars(history, one, other, asked.start, asked.end)
    return _voice(history, one, pairs, bars), _voice(history, other, pairs, bars), bars


def compare_voices(
    live: Voice,
    shadow: Voice,
    bars: Sequence[datetime],
    follow: Callable[[Voice, int], Outcome],
) -> Comparison:
    """Compare what was said, bar by bar and pair by pair, and what following each comes to.

    Parameters
    ----------
    follow
        Given a voice that said something, and of how many pairs both speak: a backtest.
    """
    common = [pair for pair in live.strategy.pairs if pair in shadow.strategy.pairs]
    agreements, entries = [], list[Entry]()
    for pair in common:
        agreement, alone = _agreement(pair, live, shadow, bars)
        agreements.append(agreement)
        entries += alone
    correlation, compared = _correlation(live, shadow)
    return Comparison(
        live=live,
        shadow=shadow,
        bars=tuple(bars),
        pairs=tuple(agreements),
        entries=tuple(sorted(entries, key=lambda entry: (entry.bar, entry.pair, entry.strategy_id))),
        score_correlation=correlation,
        scores_compared=compared,
        live_result=follow(live, len(common)) if live.signals else None,
        shadow_result=follow(shadow, len(common)) if shadow.signals else None,
    )


def _common_bars(
    history: SignalReader, live: Strategy, shadow: Strategy, start: datetime, end: datetime
) -> tuple[datetime, ...]:
    timeframe = Timeframe.parse(live.timeframe)
    beside = {run.ts for run in history.runs(shadow.strategy_id, timeframe, start, end)}
    asked = f"from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
    if not beside:
        raise ConfigError(
            f"expected what the shadow of {live.strategy_id} said {asked}, but {shadow.strategy_id} was "
            "evaluated for no bar then"
        )
    first, last = min(beside), max(beside)
    own = {run.ts for run in history.runs(live.strategy_id, timeframe, first, last + timeframe.delta)}
    if not own & beside:
        raise ConfigError(
            f"expected bars that {live.strategy_id} and {shadow.strategy_id} were both evaluated for {asked}, "
            f"found {len(beside)} of the shadow and none of them of the other"
        )
    return tuple(sorted(own & beside))


def _voice(
    history: SignalReader, strategy: Strategy, pairs: Sequence[str], bars: Sequence[datetime]
) -> Voice:
    timeframe, known = Timeframe.parse(strategy.timeframe), set(bars)
    rows = [
        row
        for pair in pairs
        for row in history.range(strategy.strategy_id, timeframe, pair, bars[0], bars[-1] + timeframe.delta)
        if row.signal.ts in known
    ]
    live = tuple(row for row in rows if row.signal.origin == "live")
    return Voice(strategy, live, len(rows) - len(live))


def _agreement(
    pair: str, live: Voice, shadow: Voice, bars: Sequence[datetime]
) -> tuple[PairAgreement, list[Entry]]:
    words = [
        {row.signal.ts: row.signal for row in voice.signals if row.signal.pair == pair}
        for voice in (live, shadow)
    ]
    sides = [_sides(said, bars) for said in words]
    entered = [_entries(side) for side in sides]
    same_word = sum(_word(words[0].get(bar)) == _word(words[1].get(bar)) for bar in bars)
    alone = [
        Entry(bars[place], pair, voice.strategy_id, said[bars[place]].score)
        for voice, said, own, other in zip((live, shadow), words, entered, entered[::-1], strict=True)
        for place in own - other
    ]
    return (
        PairAgreement(
            pair=pair,
            bars=len(bars),
            same_word=same_word,
            same_side=int((sides[0] == sides[1]).sum()),
            entries_of_both=len(entered[0] & entered[1]),
            entries_of_live_only=len(entered[0] - entered[1]),
            entries_of_shadow_only=len(entered[1] - entered[0]),
        ),
        alone,
    )


def _word(signal: Signal | None) -> tuple[str | None, float | None]:
    return (None, None) if signal is None else (signal.action, signal.weight)


def _sides(
    said: dict[datetime, Signal], bars: Sequence[datetime]
) -> "np.ndarray[tuple[int], np.dtype[np.int8]]":
    """Return -1, 0 or 1 after each bar; what is not said leaves it as it was."""
    sides = np.zeros(len(bars), dtype=np.int8)
    side = 0
    for place, bar in enumerate(bars):
        action, weight = _word(said.get(bar))
        if action == "enter_long":
            side = 1
        elif action == "exit_long":
            side = 0
        elif weight is not None:
            side = int(np.sign(weight))
        sides[place] = side
    return sides


def _entries(sides: "np.ndarray[tuple[int], np.dtype[np.int8]]") -> set[int]:
    """Return where a position begins, or turns to the other side."""
    return set(np.flatnonzero((np.diff(sides, prepend=np.int8(0)) != 0) & (sides != 0)).tolist())


def _correlation(live: Voice, shadow: Voice) -> tuple[float | None, int]:
    scores = [
        pd.Series(
            {(row.signal.ts, row.signal.pair): row.signal.score for row in voice.signals}, dtype=np.float64
        )
        for voice in (live, shadow)
    ]
    both = pd.concat(scores, axis=1, join="inner").dropna() if all(map(len, scores)) else pd.DataFrame()
    if len(both) < 3:
        return None, len(both)
    found = rank_correlation(both.iloc[:, 0].to_numpy(np.float64), both.iloc[:, 1].to_numpy(np.float64))
    return (None if found != found else found), len(both)


def _remarks(voice: Voice, result: Outcome | None) -> list[str]:
    told = []
    if result is None:
        told.append(f"{voice.strategy_id} said nothing live, so there is nothing to follow")
    elif (trades := result.report.summary.result.trades) < _FEW_TRADES:
        told.append(f"{voice.strategy_id} made {trades} trades: too few to prefer anything for its result")
    if voice.backfill:
        told.append(f"{voice.backfill:,} rows of {voice.strategy_id} were said afterwards and are left out")
    return told
