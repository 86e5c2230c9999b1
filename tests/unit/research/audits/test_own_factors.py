"""A strategy's own factors, with its own parameters, and the last step over what an audit kept."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.market import MarketQuery, Snapshot
from quantbus_research.audits import LastStep, audit_factors
from quantbus_research.cli import app
from quantbus_research.dataset import keep_panel
from quantbus_research.workflows import chosen_factors, filled, last_word, parameters_of
from tests.unit.research.audits.worlds import COINS, HOUR, SHORT, coins
from tests.unit.research.gates.worlds import moving_series
from tests.unit.research.panels import panel_of

FREQTRADE = {
    "strategy_name": "Mine",
    "params": {"buy": {"ema_fast": 12, "rsi_window": 21, "limit": 0.4, "on": True}, "sell": {"ema_slow": 48}},
    "ft_stratparam_v": 1,
}


def written(folder: Path, told: object) -> Path:
    file = folder / "Mine.json"
    file.write_text(json.dumps(told), encoding="utf-8")
    return file


def kept_snapshot(panel: pd.DataFrame, folder: Path) -> Path:
    times = panel.index.get_level_values(1)
    symbols = sorted(panel.index.get_level_values(0).unique())
    end = (times.max() + HOUR.delta).to_pydatetime()
    query = MarketQuery.of(symbols, times.min().to_pydatetime(), end, timeframe=HOUR)
    keep_panel(panel, query, folder, now=datetime(2026, 3, 1, tzinfo=UTC))
    (taken,) = (path for path in folder.iterdir() if path.is_dir())
    Snapshot.open(taken).verify()
    return taken


def test_placeholders_are_filled_from_what_freqtrade_writes_beside_a_strategy(tmp_path: Path) -> None:
    given = parameters_of(written(tmp_path, FREQTRADE))
    assert given == {"ema_fast": 12, "rsi_window": 21, "ema_slow": 48, "ft_stratparam_v": 1}
    asked = [
        "ema_distance_{ema_fast}",
        "sma_cross_{ema_fast}_{ema_slow}",
        "rsi_{rsi_window}",
        "log_return_24",
    ]
    names = filled(asked, given)
    assert names == ["ema_distance_12", "sma_cross_12_48", "rsi_21", "log_return_24"]
    assert chosen_factors(names) == tuple(names)


def test_what_cannot_be_filled_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"parameter 'ema_fats' for the factor .*; did you mean 'ema_fast'"):
        filled(["ema_distance_{ema_fats}"], {"ema_fast": 12})
    with pytest.raises(ConfigError, match="given are none"):
        filled(["rsi_{window}"], {})
    with pytest.raises(ConfigError, match=r"expected one value of 'window' in .*, found 5 and 6"):
        parameters_of(written(tmp_path, {"buy": {"window": 5}, "sell": {"window": 6}}))
    with pytest.raises(ConfigError, match="that are whole numbers"):
        parameters_of(written(tmp_path, {"buy": {"window": 0.5}}))
    with pytest.raises(ConfigError, match="as JSON"):
        parameters_of(tmp_path / "absent.json")


def test_the_command_audits_a_strategys_own_factors_and_takes_the_last_step(tmp_path: Path) -> None:
    # each coin goes on as it went, so that what it did lately says something about what it will do
    moving = panel_of(**{name: moving_series(960, seed=seed, memory=0.5) for seed, name in enumerate(COINS)})
    panel = moving.set_axis(coins(960).index)
    asked = [
        "audit",
        "--snapshot",
        str(kept_snapshot(panel, tmp_path / "taken")),
        "--horizons",
        "1",
        "--json",
    ]
    own = ["--factors", "log_return_1,ema_distance_{ema_fast},rsi_{rsi_window},volume_zscore_30"]
    filling = [
        "--parameters",
        str(written(tmp_path, FREQTRADE)),
        "--last-step",
        "lasso",
        "--out",
        str(tmp_path / "out"),
    ]
    shown = CliRunner().invoke(app, [*asked, *own, *filling], catch_exceptions=False)
    assert shown.exit_code == 0, shown.output
    told = json.loads(shown.stdout)
    assert [item["name"] for item in told["factors"]] == [
        "log_return_1",
        "ema_distance_12",
        "rsi_21",
        "volume_zscore_30",
    ]
    last = told["last_step"]
    assert set(last["weights"]) == set(told["kept"])
    assert set(last["chosen"]) <= set(told["kept"])
    assert last["rank_ic_later"] > 0.1
    assert json.loads((tmp_path / "out" / "selection.json").read_text()) == last


def test_a_recipes_factors_are_audited_by_its_name(tmp_path: Path) -> None:
    taken = kept_snapshot(coins(240), tmp_path / "taken")
    asked = [
        "audit",
        "--snapshot",
        str(taken),
        "--recipe",
        "demo",
        "--horizons",
        "1",
        "--out",
        str(tmp_path / "out"),
    ]
    shown = CliRunner().invoke(app, [*asked, "--last-step", "lasso"], catch_exceptions=False)
    assert shown.exit_code == 0, shown.output
    assert "fewer than two factors were kept" in shown.stderr
    table = pd.read_csv(tmp_path / "out" / "factor_summary.csv")
    assert table["factor"].tolist()[:2] == ["log_return_1", "log_return_5"]
    with pytest.raises(ConfigError, match="--recipe: expected without --factors"):
        CliRunner().invoke(app, [*asked, "--factors", "rsi_14"], catch_exceptions=False)


def test_the_last_step_judges_only_the_bars_that_the_audit_did() -> None:
    moving = panel_of(**{name: moving_series(960, seed=seed, memory=0.5) for seed, name in enumerate(COINS)})
    panel = moving.set_axis(coins(960).index)
    times = panel.index.get_level_values(1).unique()
    found = audit_factors(panel, ["log_return_1", "rsi_14"], HOUR, SHORT, since=times[100])
    said = last_word(found, panel, LastStep(folds=3))
    assert said is not None
    assert said.selection.judged_from == times[100 + 430]
