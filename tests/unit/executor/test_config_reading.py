"""A config is read as Freqtrade reads it; that it is the same is compared with Freqtrade itself beside."""

from pathlib import Path

import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_executor.configs.reading import merged_config, read_config, variables_as_config


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_comments_and_trailing_commas_are_no_faults_but_text_is_left_alone(tmp_path: Path) -> None:
    text = """{
        // why this is here
        "a": "http://not-a-comment, }", /* over
        two lines */ "b": [1, 2,],
    }"""
    assert read_config(written(tmp_path / "c.json", text)) == {"a": "http://not-a-comment, }", "b": [1, 2]}


def test_later_files_win_and_the_environment_always(tmp_path: Path) -> None:
    first = written(tmp_path / "a.json", '{"x": {"one": 1, "two": 2}, "y": 1, "list": [1, 2]}')
    second = written(tmp_path / "b.json", '{"x": {"two": 3}, "list": [3]}')
    merged = merged_config([first, second], {"FREQTRADE__Y": "5", "OTHER__Y": "6"})
    assert merged == {"x": {"one": 1, "two": 3}, "y": 5, "list": [3]}


def test_files_that_a_file_names_lie_beneath_it_and_beside_it(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    written(tmp_path / "more" / "keys.json", '{"exchange": {"key": "k", "name": "kraken"}}')
    main = written(
        tmp_path / "a.json", '{"add_config_files": ["more/keys.json"], "exchange": {"name": "binance"}}'
    )
    assert merged_config([main], {}) == {"exchange": {"key": "k", "name": "binance"}}


def test_files_that_name_each_other_are_refused(tmp_path: Path) -> None:
    written(tmp_path / "a.json", '{"add_config_files": ["b.json"]}')
    written(tmp_path / "b.json", '{"add_config_files": ["a.json"]}')
    with pytest.raises(ConfigError, match="circle"):
        merged_config([tmp_path / "a.json"], {})


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_refused(tmp_path: Path, number: str) -> None:
    with pytest.raises(ConfigError, match=number):
        read_config(written(tmp_path / "c.json", f'{{"stake_amount": {number}}}'))


def test_variables_have_the_types_that_freqtrade_gives_them() -> None:
    assert variables_as_config(
        {
            "FREQTRADE__DRY_RUN": "true",
            "FREQTRADE__STAKE_AMOUNT": "12.5",
            "FREQTRADE__EXCHANGE__KEY": "abc",
            "FREQTRADE__API_SERVER__PASSWORD": "123",
            "FREQTRADE__EXCHANGE__PAIR_WHITELIST": '["BTC/USDT"]',
            "FREQTRADE__EXCHANGE__CCXT_CONFIG__enableRateLimit": "false",
        }
    ) == {
        "dry_run": True,
        "stake_amount": 12.5,
        "api_server": {"password": "123"},
        "exchange": {
            "key": "abc",
            "pair_whitelist": ["BTC/USDT"],
            "ccxt_config": {"enableRateLimit": False},
        },
    }
