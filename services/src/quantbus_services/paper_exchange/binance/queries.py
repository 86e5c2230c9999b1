"""Reading request parameters the way Binance does, refusals included."""

import json
import re
from collections.abc import Iterable, Mapping

from quantbus_contracts.errors import QuantbusError
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.paper_exchange.listings.listings import Listing

__all__ = ["Query", "Refusal"]

_SYMBOL = r"^[A-Z0-9-_.]{1,20}$"
_NUMBER = r"^[0-9]{1,20}$"


class Refusal(QuantbusError):
    """An answer with an error code of Binance's."""

    def __init__(self, code: int, message: str, *, status: int = 400) -> None:
        """State the venue's error code and message, and the HTTP status."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


class Query:
    """The parameters of one request; whoever reads one that is wrong gets a `Refusal`."""

    def __init__(self, parameters: Iterable[tuple[str, str]], known: frozenset[str]) -> None:
        """Take the parameters as sent; ``known`` are the names that the endpoint reads."""
        sent = list(parameters)
        self._values: Mapping[str, str] = dict(sent)
        if len(sent) != len(self._values):
            raise Refusal(-1101, "Duplicate values for a parameter detected.")
        read = len(known.intersection(self._values))
        if read != len(sent):
            raise Refusal(
                -1104,
                f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{len(sent)}'.",
            )

    @property
    def names_one(self) -> bool:
        """Tell whether a single ``symbol`` was sent; Binance answers that with an object, not a list."""
        return "symbol" in self._values

    def symbol(self, listings: Mapping[str, Listing], parameter: str = "symbol") -> Listing:
        """Return the market named by the mandatory ``symbol``."""
        return _listed(self._mandatory(parameter, _SYMBOL), listings)

    def symbols(self, listings: Mapping[str, Listing]) -> list[Listing] | None:
        """Return the markets named by ``symbol`` or by the JSON list ``symbols``; None if neither is sent."""
        if "symbol" in self._values and "symbols" in self._values:
            raise Refusal(-1128, "Combination of optional parameters invalid.")
        if "symbol" in self._values:
            return [self.symbol(listings)]
        if "symbols" not in self._values:
            return None
        return [_listed(name, listings) for name in _names(self._values["symbols"])]

    def interval(self, timeframes: Mapping[str, Timeframe]) -> Timeframe:
        """Return the timeframe named by the mandatory ``interval``."""
        name = self._mandatory("interval")
        if name not in timeframes:
            raise Refusal(-1120, "Invalid interval.")
        return timeframes[name]

    def number(self, name: str) -> int | None:
        """Return an optional whole number."""
        return int(self._checked(name, self._values[name], _NUMBER)) if name in self._values else None

    def limit(self, *, default: int, most: int) -> int:
        """Return ``limit``; a larger one than ``most`` is cut down to it."""
        limit = self.number("limit")
        if limit == 0:
            raise Refusal(-1130, "Data sent for parameter 'limit' is not valid.")
        return min(limit or default, most)

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        """Return one of ``choices``, the first by default."""
        value = self._values.get(name, choices[0])
        if value not in choices:
            raise Refusal(-1130, f"Data sent for parameter '{name}' is not valid.")
        return value

    def _mandatory(self, name: str, form: str | None = None) -> str:
        value = self._values.get(name, "")
        if not value:
            raise Refusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
        return self._checked(name, value, form) if form else value

    @staticmethod
    def _checked(name: str, value: str, form: str) -> str:
        if not re.fullmatch(form, value):
            raise Refusal(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{form}'.")
        return value


def _listed(name: str, listings: Mapping[str, Listing]) -> Listing:
    if name not in listings:
        raise Refusal(-1121, "Invalid symbol.")
    return listings[name]


def _names(text: str) -> list[str]:
    refusal = Refusal(
        -1100, "Illegal characters found in parameter 'symbols'; legal range is a JSON list of names."
    )
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        raise refusal from None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise refusal
    return names
