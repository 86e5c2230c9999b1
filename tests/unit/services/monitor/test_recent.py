"""Rows that are kept instead of being read again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from quantbus_services.monitor.recent import Recent
from tests.unit.services.monitor.fake_bus import seconds

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
REACH = timedelta(minutes=30)


@dataclass
class Rows:
    """Rows by name and moment; remembers from when on it was asked."""

    stored: dict[str, datetime] = field(default_factory=dict)
    asked: list[datetime] = field(default_factory=list)

    async def since(self, moment: datetime) -> Sequence[tuple[str, datetime]]:
        self.asked.append(moment)
        return [(name, at) for name, at in self.stored.items() if at >= moment]


def kept(rows: Rows, *open_rows: str) -> Recent[tuple[str, datetime]]:
    return Recent(
        rows.since,
        key=lambda row: row[0],
        moment=lambda row: row[1],
        reach=REACH,
        keeps=lambda row: row[0] in open_rows,
    )


def names(recent: Recent[tuple[str, datetime]]) -> list[str]:
    return [name for name, _ in recent.items]


async def test_the_first_look_goes_back_all_the_way_and_the_next_ones_a_minute() -> None:
    rows = Rows({"old": NOON - timedelta(minutes=29)})
    recent = kept(rows)
    await recent.bring_up(NOON)
    rows.stored["new"] = NOON + seconds(2)
    await recent.bring_up(NOON + seconds(3))
    assert rows.asked == [NOON - REACH, NOON - seconds(60)]
    assert names(recent) == ["old", "new"]


async def test_a_row_that_becomes_visible_late_is_read_all_the_same() -> None:
    rows = Rows()
    recent = kept(rows)
    await recent.bring_up(NOON)
    rows.stored["late"] = NOON - seconds(40)
    await recent.bring_up(NOON + seconds(3))
    assert names(recent) == ["late"]


async def test_old_rows_are_let_go_unless_they_are_still_needed() -> None:
    rows = Rows({"done": NOON, "open": NOON})
    recent = kept(rows, "open")
    await recent.bring_up(NOON)
    await recent.bring_up(NOON + REACH + seconds(1))
    assert names(recent) == ["open"]


async def test_what_writers_kept_during_an_outage_is_read_once_they_send_it() -> None:
    rows = Rows()
    recent = kept(rows)
    await recent.bring_up(NOON)
    back = NOON + timedelta(minutes=10)
    await recent.bring_up(back)
    rows.stored["kept"] = NOON + timedelta(minutes=3)  # sent half a minute after the bus was back
    for later in range(10, 130, 10):
        await recent.bring_up(back + seconds(later))
    assert names(recent) == ["kept"]
    assert rows.asked[-2:] == [NOON - seconds(60), back + seconds(50)]


async def test_a_clock_that_is_set_back_hides_nothing() -> None:
    rows = Rows()
    recent = kept(rows)
    await recent.bring_up(NOON)
    rows.stored["early"] = NOON - timedelta(hours=1)
    await recent.bring_up(NOON - timedelta(hours=1))
    assert names(recent) == ["early"]
