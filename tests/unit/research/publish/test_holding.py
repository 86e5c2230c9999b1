from collections.abc import Sequence

from quantbus_research.publish import Held, Verdict, View, hold_back
from quantbus_research.settings import PublishSettings

BTC, ETH, SOL = "BTC/USDT", "ETH/USDT", "SOL/USDT"
LATE = "said too late"


def there(pair: str) -> View:
    return View(pair, score=0.5, close=100.0)


def absent(pair: str) -> View:
    return View(pair, score=None, degraded="the bar is missing")


ENTRY = Verdict(there(BTC), "enter_long", "score")
EXIT = Verdict(there(ETH), "exit_long", "score")
DUE = Verdict(absent(SOL), "exit_long", "held for 2 bars", by_time=True)


def held(
    verdicts: Sequence[Verdict],
    *,
    late: str | None = None,
    compares: bool = False,
    said: Sequence[str] = (),
    **settings: str,
) -> Held:
    asked = PublishSettings.model_validate(settings)
    return hold_back(verdicts, asked, late=late, compares=compares, said=said)


def words(found: Held) -> list[str]:
    return [verdict.said for verdict in found.verdicts]


def test_in_time_and_with_all_bars_everything_is_said_as_it_is() -> None:
    found = held([ENTRY, EXIT])
    assert found.verdicts == (ENTRY, EXIT)
    assert (found.why, found.count) == (None, 0)


def test_late_only_exits_are_said_unless_the_recipe_wants_it_otherwise() -> None:
    found = held([ENTRY, EXIT], late=LATE)
    assert words(found) == ["nothing", "exit_long"]
    assert found.why == f"nothing said but exits: {LATE}"
    assert found.count == 1
    assert "enter_long: score" in found.verdicts[0].why
    assert found.verdicts[1].view.degraded == LATE


def test_a_weight_of_zero_is_an_exit_and_any_other_is_not() -> None:
    weights = [Verdict(there(BTC), None, "", weight=0.5), Verdict(there(ETH), None, "", weight=0.0)]
    assert words(held(weights, late=LATE)) == ["nothing", "weight +0.0000"]


def test_late_all_of_it_is_said_and_marked_where_the_recipe_says_so() -> None:
    found = held([ENTRY, EXIT], late=LATE, on_late="publish_degraded")
    assert words(found) == ["enter_long", "exit_long"]
    assert {verdict.view.degraded for verdict in found.verdicts} == {LATE}
    assert found.why is None


def test_late_nothing_at_all_is_said_where_the_recipe_says_so() -> None:
    assert words(held([ENTRY, EXIT, DUE], late=LATE, on_late="nothing")) == ["nothing"] * 3


def test_what_was_said_in_time_is_not_made_late_by_saying_it_again() -> None:
    for policy in ("exits", "publish_degraded", "nothing"):
        found = held([ENTRY, EXIT], late=LATE, on_late=policy, said=[BTC, ETH])
        assert found.verdicts == (ENTRY, EXIT)
        assert found.why is None


def test_without_the_bars_of_all_pairs_nothing_is_said_but_what_is_due_by_time() -> None:
    found = held([ENTRY, EXIT, DUE], on_missing="nothing")
    assert words(found) == ["nothing", "nothing", "exit_long"]
    assert found.why == "nothing said: no bar of SOL/USDT"


def test_a_missing_bar_marks_the_others_where_pairs_are_compared() -> None:
    verdicts = [ENTRY, Verdict(absent(SOL), None, "the bar is missing")]
    assert held(verdicts, compares=True).verdicts[0].view.degraded == "no bar of SOL/USDT"
    assert held(verdicts, compares=False).verdicts == tuple(verdicts)
