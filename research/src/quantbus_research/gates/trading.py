"""Trading: what a backtest has to come to before anybody is told to follow it."""

from collections.abc import Mapping
from dataclasses import dataclass

from quantbus_research.gates._base import Figure, Verdict, figure
from quantbus_research.settings.nodes import GateSettings

__all__ = ["Traded", "judge_trading"]


@dataclass(frozen=True, slots=True)
class Traded:
    """A backtest in the figures that are asked about; fractions, and NaN where one does not exist.

    Attributes
    ----------
    gain, dearer_gain
        Total return after costs, and with costs half as high again.
    certainty
        Probability that the Sharpe ratio is above zero, given how many variants were tried.
    timing
        Yearly Sharpe ratio of what was earned beyond holding the same mean exposure all along.
    """

    gain: float
    dearer_gain: float
    trades: int
    certainty: float
    variants: int
    timing: float


def judge_trading(traded: Traded, asked: GateSettings) -> tuple[Verdict, ...]:
    """Ask a backtest what it has to have shown; a figure that does not exist is refused."""
    tried = "one variant" if traded.variants == 1 else f"the best of {traded.variants} variants"
    return (
        _verdict(
            "gain",
            traded.gain > asked.gain_above,
            f"it brought {traded.gain:+.1%} after costs; above {asked.gain_above:.1%} is asked for",
            {"gain": figure(traded.gain), "above": asked.gain_above},
        ),
        _verdict(
            "dearer",
            traded.dearer_gain > asked.dearer_gain_above,
            f"with costs half as high again it brought {traded.dearer_gain:+.1%}; above "
            f"{asked.dearer_gain_above:.1%} is asked for",
            {"gain": figure(traded.dearer_gain), "above": asked.dearer_gain_above},
        ),
        _verdict(
            "trades",
            traded.trades >= asked.trades_at_least,
            f"it made {traded.trades} trades; at least {asked.trades_at_least} are asked for",
            {"trades": traded.trades, "at_least": asked.trades_at_least},
        ),
        _verdict(
            "luck",
            traded.certainty >= asked.sharpe_certainty_at_least,
            f"as {tried} it is better than nothing with {traded.certainty:.0%}; at least "
            f"{asked.sharpe_certainty_at_least:.0%} is asked for",
            {
                "certainty": figure(traded.certainty),
                "at_least": asked.sharpe_certainty_at_least,
                "variants": traded.variants,
            },
        ),
        _verdict(
            "timing",
            traded.timing > asked.timing_above,
            f"what it earned beyond holding the same exposure has a Sharpe ratio of {traded.timing:.2f} a year; above "
            f"{asked.timing_above:g} is asked for",
            {"timing": figure(traded.timing), "above": asked.timing_above},
        ),
    )


def _verdict(name: str, passed: bool, told: str, figures: Mapping[str, Figure]) -> Verdict:
    return Verdict(name, bool(passed), told, figures)
