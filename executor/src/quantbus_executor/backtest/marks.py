"""Every bar at whose open an entry might be made, as the columns that Freqtrade reads; pure.

Freqtrade acts upon a row's marks at the open of the next bar. Whether the entry is made is decided there, by the
same code as live; a mark is only what makes Freqtrade ask.
"""

from datetime import datetime, timedelta

import pandas as pd

from quantbus_contracts.policy import DecisionKind, TradingRules, decide
from quantbus_contracts.timeframe import Timeframe
from quantbus_executor.backtest.archive import Archive
from quantbus_executor.trades.tags import entry_tag

__all__ = ["asked_at", "mark_entries"]


def mark_entries(
    frame: pd.DataFrame, pair: str, archive: Archive, rules: TradingRules, timeframe: Timeframe
) -> pd.DataFrame:
    """Return ``frame`` (bars of ``timeframe``), each row marked at whose end the pair, if flat, might be entered."""
    longs, shorts = [0] * len(frame), [0] * len(frame)
    tags: list[str | None] = [None] * len(frame)
    for row, moment in enumerate(asked_at(frame, timeframe.delta)):
        published = archive.shown(pair, moment)
        if published is None:
            continue
        decision = decide(published, None, moment, rules)
        if decision.kind is DecisionKind.ENTER and decision.signal_id is not None:
            (longs if decision.side == "long" else shorts)[row] = 1
            tags[row] = entry_tag(decision.signal_id)
    return frame.assign(
        enter_long=pd.Series(longs, index=frame.index, dtype="int64"),
        enter_short=pd.Series(shorts, index=frame.index, dtype="int64"),
        enter_tag=pd.Series(tags, index=frame.index, dtype=object),
    )


def asked_at(frame: pd.DataFrame, length: timedelta) -> list[datetime]:
    """Return for each row the moment at which Freqtrade acts upon its marks: the open of the next bar."""
    return [moment.to_pydatetime() for moment in frame["date"] + length]
