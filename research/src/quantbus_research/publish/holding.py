"""What is held back although it was thought, because bars are missing or it is too late; pure."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from quantbus_research.publish.decisions import Verdict
from quantbus_research.settings import PublishSettings

__all__ = ["Held", "hold_back"]

_LONGEST_TOLD = 200
_PAIRS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Held:
    """The verdicts as they may be said, and why some may not be; None where nothing was held back."""

    verdicts: tuple[Verdict, ...]
    why: str | None = None

    @property
    def count(self) -> int:
        """How many would have been said."""
        return sum(verdict.held_back for verdict in self.verdicts)

    @property
    def trouble(self) -> str | None:
        """What the record of the evaluation says was wrong; None where nothing was."""
        views = [verdict.view for verdict in self.verdicts]
        troubles = [f"{view.pair}: {view.degraded}" for view in views if view.degraded]
        told = "; ".join(([self.why] if self.why else []) + troubles)
        return (told if len(told) <= _LONGEST_TOLD else told[: _LONGEST_TOLD - 1] + "…") or None


def hold_back(
    verdicts: Sequence[Verdict],
    settings: PublishSettings,
    *,
    late: str | None,
    compares: bool,
    said: Collection[str] = (),
) -> Held:
    """Hold back what the recipe does not want to be said now, and mark what is said in spite of it.

    Parameters
    ----------
    late
        Why it is said too late, or may be; None where it is not.
    compares
        Each pair's score depends on the other pairs' bars, so that a missing one makes all of them worth less.
    said
        Pairs about whose bar something stands on the bus already: being late changes nothing about that.
    """
    held = Held(tuple(verdicts))
    missing = [verdict.view.pair for verdict in verdicts if verdict.view.close is None]
    if missing:
        told = f"no bar of {_few(missing)}"
        if settings.on_missing == "nothing":
            held = _silenced(held, f"nothing said: {told}", keep=lambda verdict: verdict.by_time)
        elif compares:
            held = _marked(held, told)
    return held if late is None else _late(held, settings, late, said)


def _late(held: Held, settings: PublishSettings, why: str, said: Collection[str]) -> Held:
    if settings.on_late == "nothing":
        return _silenced(held, f"nothing said: {why}", keep=lambda verdict: verdict.view.pair in said)
    told = tuple(v if v.view.pair in said else _mark(v, why) for v in held.verdicts)
    marked = replace(held, verdicts=told)
    if settings.on_late == "publish_degraded":
        return marked
    return _silenced(
        marked,
        f"nothing said but exits: {why}",
        keep=lambda verdict: verdict.leaves or verdict.view.pair in said,
    )


def _silenced(held: Held, why: str, *, keep: Callable[[Verdict], bool]) -> Held:
    silent = tuple(v if not v.speaks or keep(v) else v.silenced(why) for v in held.verdicts)
    if silent == held.verdicts:
        return held
    return Held(silent, why if held.why is None else f"{held.why}; {why}")


def _marked(held: Held, why: str) -> Held:
    return replace(held, verdicts=tuple(_mark(verdict, why) for verdict in held.verdicts))


def _mark(verdict: Verdict, why: str) -> Verdict:
    if not verdict.speaks:
        return verdict
    told = why if verdict.view.degraded is None else f"{verdict.view.degraded}; {why}"
    return replace(verdict, view=replace(verdict.view, degraded=told[:_LONGEST_TOLD]))


def _few(pairs: Sequence[str]) -> str:
    rest = len(pairs) - _PAIRS_SHOWN
    return ", ".join(pairs[:_PAIRS_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
