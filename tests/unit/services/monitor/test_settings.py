"""How patient the checks are, as people set it."""

import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.runtime.settings import KNOWN_NAMES, load_settings
from quantbus_services.monitor.checks import Limits
from quantbus_services.monitor.settings import MonitorSettings


def test_the_defaults_of_settings_and_limits_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KNOWN_NAMES:
        monkeypatch.delenv(name, raising=False)
    assert load_settings(MonitorSettings).limits() == Limits()


def test_floors_are_given_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTBUS_MONITOR_BALANCE_FLOORS", '{"USDT": 50, "BTC": 0.01}')
    assert load_settings(MonitorSettings).limits().balance_floors == {"USDT": 50, "BTC": 0.01}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BALANCE_FLOORS", '{"USDT": -1}'),
        ("BALANCE_FLOORS", "50"),
        ("DRAWDOWN_RATIO", "15"),
        ("DISK_FREE_RATIO", "1"),
        ("REJECTS_IN_A_ROW", "0"),
        ("CLOCK_OFFSET_SECONDS", "nan"),
    ],
)
def test_a_limit_that_would_never_or_always_find_something_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"QUANTBUS_MONITOR_{name}", value)
    with pytest.raises(ConfigError, match=name):
        load_settings(MonitorSettings)


def test_every_setting_of_the_monitor_is_a_known_name() -> None:
    names = {f"QUANTBUS_MONITOR_{name.upper()}" for name in MonitorSettings.model_fields}
    assert names == {name for name in KNOWN_NAMES if name.startswith("QUANTBUS_MONITOR_")} - {
        "QUANTBUS_MONITOR_PASSWORD_FILE"
    }
