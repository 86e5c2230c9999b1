import pytest

from quantbus_contracts.timeframe import Timeframe
from quantbus_services.paper_exchange.binance.queries import Query, Refusal
from tests.unit.services.paper_exchange.recordings import BTC

LISTINGS = {"BTCUSDT": BTC}
TIMEFRAMES = {"1m": Timeframe.parse("1m")}
KNOWN = frozenset({"symbol", "symbols", "interval", "limit", "startTime"})


def query(**parameters: str) -> Query:
    return Query(parameters.items(), KNOWN)


def refused(call: object) -> tuple[int, int, str]:
    assert callable(call)
    with pytest.raises(Refusal) as refusal:
        call()
    return refusal.value.status, refusal.value.code, refusal.value.message


def test_an_unknown_symbol_is_invalid() -> None:
    assert refused(lambda: query(symbol="XYZUSDT").symbol(LISTINGS)) == (400, -1121, "Invalid symbol.")


@pytest.mark.parametrize("parameters", [{}, {"symbol": ""}])
def test_a_mandatory_parameter_must_be_sent(parameters: dict[str, str]) -> None:
    status, code, message = refused(lambda: query(**parameters).symbol(LISTINGS))
    assert (status, code) == (400, -1102)
    assert message == "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."


def test_illegal_characters_are_told_with_the_legal_range() -> None:
    status, code, message = refused(lambda: query(symbol="BTC/USDT").symbol(LISTINGS))
    assert (status, code) == (400, -1100)
    assert message == (
        "Illegal characters found in parameter 'symbol'; legal range is '^[A-Z0-9-_.]{1,20}$'."
    )
    assert refused(lambda: query(limit="many").limit(default=5, most=10))[1] == -1100
    assert refused(lambda: query(startTime="-5").number("startTime"))[1] == -1100


def test_an_unknown_interval_is_invalid() -> None:
    assert refused(lambda: query(interval="7m").interval(TIMEFRAMES)) == (400, -1120, "Invalid interval.")


def test_parameters_that_nobody_reads_are_refused() -> None:
    status, code, message = refused(lambda: query(symbol="BTCUSDT", start_time="1"))
    assert (status, code) == (400, -1104)
    assert message == "Not all sent parameters were read; read '1' parameter(s) but was sent '2'."


def test_a_parameter_sent_twice_is_refused() -> None:
    assert refused(lambda: Query([("limit", "1"), ("limit", "2")], KNOWN))[1] == -1101


def test_a_limit_has_a_default_and_a_ceiling() -> None:
    assert query().limit(default=500, most=1000) == 500
    assert query(limit="7").limit(default=500, most=1000) == 7
    assert query(limit="5000").limit(default=500, most=1000) == 1000
    assert refused(lambda: query(limit="0").limit(default=500, most=1000))[1] == -1130


def test_several_symbols_come_as_a_json_list() -> None:
    assert query(symbols='["BTCUSDT"]').symbols(LISTINGS) == [BTC]
    assert query().symbols(LISTINGS) is None
    assert refused(lambda: query(symbols="BTCUSDT").symbols(LISTINGS))[1] == -1100
    assert refused(lambda: query(symbols="[1]").symbols(LISTINGS))[1] == -1100
    assert refused(lambda: query(symbols='["NO"]').symbols(LISTINGS))[1] == -1121
    assert refused(lambda: query(symbol="BTCUSDT", symbols="[]").symbols(LISTINGS))[1] == -1128
