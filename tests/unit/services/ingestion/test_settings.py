import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.runtime.settings import KNOWN_NAMES, load_settings
from quantbus_services.ingestion.settings import IngestionSettings


def test_every_setting_stands_in_the_list_of_names() -> None:
    names = {f"QUANTBUS_INGESTION_{field.upper()}" for field in IngestionSettings.model_fields}

    assert names == {name for name in KNOWN_NAMES if name.startswith("QUANTBUS_INGESTION_")}


def test_settings_come_from_the_environment_and_the_command_line_wins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QUANTBUS_INGESTION_VENUE", "okx")
    monkeypatch.setenv("QUANTBUS_INGESTION_HISTORY_DAYS", "7")
    monkeypatch.setenv("QUANTBUS_INGESTION_QUOTES", '["USDT", "EUR"]')

    settings = load_settings(IngestionSettings, venue="kraken", metrics_port=None)

    assert (settings.venue, settings.history_days, settings.quotes) == ("kraken", 7.0, ("USDT", "EUR"))
    assert settings.metrics_port == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [("VENUE", "Binance!"), ("VENUE_URL", "127.0.0.1:80"), ("REREAD_BARS", "0"), ("METRICS_PORT", "70000")],
)
def test_a_wrong_setting_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"QUANTBUS_INGESTION_{name}", value)

    with pytest.raises(ConfigError, match=f"QUANTBUS_INGESTION_{name}"):
        load_settings(IngestionSettings)
