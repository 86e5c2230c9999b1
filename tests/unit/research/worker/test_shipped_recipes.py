"""Which recipes that come with quantbus a worker can run; those without a model have something to say."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_research.cli.recipes import chosen_recipe
from quantbus_research.settings import Recipe, shipped_recipes
from quantbus_research.workflows import require_live
from quantbus_research.workflows.speaking import rule_of
from quantbus_research.workflows.views import bars_to_load, views_of
from tests.unit.research.sessions import FakeGaps

NEWEST = datetime(2026, 1, 5, tzinfo=UTC)
CANNOT = {"alpha158_4h": "of kind 'qlib'"}


def some_bars(recipe: Recipe) -> pd.DataFrame:
    count = bars_to_load(recipe)
    times = pd.DatetimeIndex([NEWEST - back * recipe.market.bars.delta for back in range(count)][::-1])
    generator, parts = np.random.default_rng(3), {}
    for item in recipe.market.instruments:
        close = 100.0 * np.exp(np.cumsum(generator.normal(0.0, 0.01, count)))
        opened = np.concatenate([close[:1], close[:-1]])
        parts[item.symbol] = pd.DataFrame(
            {
                "open": opened,
                "high": np.maximum(opened, close) * 1.002,
                "low": np.minimum(opened, close) * 0.998,
                "close": close,
                "volume": generator.uniform(1.0, 9.0, count),
            },
            index=times,
        )
    return pd.concat(parts, names=["symbol", "datetime"]).sort_index()


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_a_shipped_recipe_lives_or_says_why_not(name: str) -> None:
    recipe = chosen_recipe(name, None, None)
    if name in CANNOT:
        with pytest.raises(ConfigError, match=CANNOT[name]):
            require_live(recipe)
        return
    require_live(recipe)


@pytest.mark.parametrize("name", ["momentum_1h", "trend_1h"])
def test_a_rule_scores_every_pair_at_the_newest_bar_from_the_bars_that_are_loaded(name: str) -> None:
    recipe = chosen_recipe(name, None, None)
    views = views_of(some_bars(recipe), rule_of(recipe), recipe, NEWEST, FakeGaps())
    assert [view.pair for view in views] == list(recipe.market.pairs)
    assert all(view.score is not None and view.degraded is None for view in views)
    assert len({view.score for view in views}) > 1 or len(views) == 1
