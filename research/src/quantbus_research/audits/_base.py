"""What an audit is asked, and what it answers: frozen figures, each with its unit."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.costs import CostModel

__all__ = ["Audit", "AuditSettings", "FactorFigures", "HorizonFigures", "Refusal", "Screen", "Stability"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """What a factor must reach, in the order in which it is asked.

    Attributes
    ----------
    coverage
        Least share of bars with a value.
    varying
        Least share of bars in which the values differ between symbols.
    same_sign
        Least share of 30-day windows whose mean RankIC has the sign of the whole.
    rank_ic
        Least absolute mean RankIC.
    chance
        With which probability any of all audited factors may pass the test of its t-statistic by luck alone.
    correlation
        From this absolute rank correlation on two factors are taken for one.
    """

    coverage: float = 0.8
    varying: float = 0.5
    same_sign: float = 0.6
    rank_ic: float = 0.01
    chance: float = 0.05
    correlation: float = 0.8

    def __post_init__(self) -> None:
        """Refuse what is no share."""
        for name in self.__slots__:
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0 or (name == "chance" and value in (0.0, 1.0)):
                raise ConfigError(f"screen.{name}: expected a share between 0 and 1, found {value!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """How factors are audited.

    Attributes
    ----------
    horizons
        Holding times in bars; the screening judges by the first.
    decay
        Horizons in bars at which the mean RankIC is told besides.
    windows
        Days of the rolling stability; the screening judges by the first.
    quantiles
        How many portfolios the symbols of a bar are sorted into.
    least_symbols
        A bar with fewer symbols than this has no RankIC and no portfolios.
    costs
        Fee and spread of the long-short portfolio.
    """

    horizons: tuple[int, ...] = (1, 4)
    decay: tuple[int, ...] = (1, 2, 4, 8, 12, 24, 48)
    windows: tuple[int, ...] = (30, 60)
    quantiles: int = 5
    least_symbols: int = 5
    costs: CostModel = field(default_factory=lambda: CostModel(fee_rate=0.0006))
    screen: Screen = field(default_factory=Screen)

    def __post_init__(self) -> None:
        """Refuse what cannot be audited."""
        for name in ("horizons", "decay", "windows"):
            values = getattr(self, name)
            if not values or min(values) < 1 or len(set(values)) < len(values):
                raise ConfigError(f"{name}: expected different whole numbers from 1 up, found {values!r}")
        if not 2 <= self.quantiles <= self.least_symbols:
            raise ConfigError(
                f"quantiles: expected from 2 to least_symbols ({self.least_symbols}), found {self.quantiles!r}"
            )


@dataclass(frozen=True, slots=True)
class Stability:
    """The mean RankIC of all windows of so many days; overlapping, so that there are fewer independent ones.

    ``low`` and ``high`` are the 10 % and 90 % quantiles, ``worst`` is the window furthest against the sign of the
    whole, ``same_sign`` the share of windows that have it.
    """

    days: int
    windows: int
    median: float
    low: float
    high: float
    worst: float
    same_sign: float


@dataclass(frozen=True, slots=True)
class HorizonFigures:
    """One factor at one holding time.

    Attributes
    ----------
    bars
        How many bars have a RankIC.
    rank_ic, ic_deviation, icir
        Mean, standard deviation, and their quotient, per bar and not annualised.
    t
        Newey and West's t-statistic of the mean: overlapping returns do not count twice.
    positive
        Share of bars with a RankIC above zero.
    first_half, second_half
        Mean RankIC of each half of time.
    quantile_returns
        Mean return over the holding time, lowest values of the factor first (fractions).
    turnover
        Share of the long-short portfolio that is exchanged in a bar, mean.
    direction
        1 if high values go long, -1 if they go short: the sign of the first half's RankIC; 0 without one.
    before_costs, after_costs, sharpe
        Long-short return a year (sum of bars, gross exposure 1) and its Sharpe ratio a year after costs: of the second
        half of time, in the direction that the first half told.
    break_even_rate
        Cost of an order, as a share of its value, at which nothing of ``before_costs`` is left; NaN if nothing is
        there before costs.
    stability
        By window, in the order of the settings.
    """

    horizon_bars: int
    bars: int
    rank_ic: float
    ic_deviation: float
    icir: float
    t: float
    positive: float
    first_half: float
    second_half: float
    quantile_returns: tuple[float, ...]
    turnover: float
    direction: int
    before_costs: float
    after_costs: float
    sharpe: float
    break_even_rate: float
    stability: tuple[Stability, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a factor was not kept: the step, what was found, and what was needed (NaN if a figure does not exist)."""

    step: str
    found: float
    needed: float
    reason: str


@dataclass(frozen=True, slots=True)
class FactorFigures:
    """One factor: what it is worth, and whether it was kept.

    ``coverage`` and ``varying`` are shares (see `Screen`), ``decay`` the mean RankIC by horizon in bars. Factors with
    the same ``representative`` are one cluster, ``correlation`` is the rank correlation with it. A factor that never
    varies stands alone.
    """

    name: str
    coverage: float
    varying: float
    decay: Mapping[int, float]
    horizons: tuple[HorizonFigures, ...]
    representative: str
    correlation: float
    refusal: Refusal | None

    @property
    def first(self) -> HorizonFigures:
        """The horizon that the screening judges by."""
        return self.horizons[0]


@dataclass(frozen=True, slots=True)
class Audit:
    """All factors of an audit, in the order asked for, with what pictures are drawn from.

    ``rank_ic`` holds each factor's mean RankIC of each day at the first horizon, ``before_costs`` and ``after_costs``
    the long-short returns of each day of the second half; ``correlations`` the rank correlations of factors that vary.
    """

    timeframe: Timeframe
    symbols: tuple[str, ...]
    first_bar: pd.Timestamp
    last_bar: pd.Timestamp
    halfway: pd.Timestamp
    bars: int
    settings: AuditSettings
    needed_t: float
    factors: tuple[FactorFigures, ...]
    rank_ic: pd.DataFrame
    before_costs: pd.DataFrame
    after_costs: pd.DataFrame
    correlations: pd.DataFrame

    @property
    def kept(self) -> tuple[FactorFigures, ...]:
        """The factors that passed every step."""
        return tuple(item for item in self.factors if item.refusal is None)
