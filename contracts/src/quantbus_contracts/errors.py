"""The exception tree, grouped by who must act.

::

    QuantbusError
    ├── ConfigError            the operator fixes it; the process exits with code 2
    ├── ContractError          a bad row at an edge: count it, keep it aside, go on; never retried
    │   └── UnknownInstrument  a name that no market list resolves to exactly one instrument
    ├── BusError
    │   ├── BusUnavailable     the database did not answer in time (retryable)
    │   │   └── BusContended   other writers were at the same documents; nothing was written (retryable)
    │   └── KeyConflict        another revision stands where one was expected
    ├── VenueError
    │   ├── VenueUnavailable   the exchange did not answer properly (retryable)
    │   └── VenueRefused       the exchange understood and said no
    └── ArtefactError          a model or manifest is missing, or its hash differs

Messages say what was expected, what was found, and what to do.
"""

from typing import ClassVar

__all__ = [
    "ArtefactError",
    "BusContended",
    "BusError",
    "BusUnavailable",
    "ConfigError",
    "ContractError",
    "KeyConflict",
    "QuantbusError",
    "UnknownInstrument",
    "VenueError",
    "VenueRefused",
    "VenueUnavailable",
]


class QuantbusError(Exception):
    """Anything that quantbus raises on purpose."""

    retryable: ClassVar[bool] = False


class ConfigError(QuantbusError):
    """A setting, a file or an installation is wrong; a person has to mend it."""


class ContractError(QuantbusError):
    """A row does not satisfy the contract of the bus."""

    def __init__(self, reason: str, *, field: str = "", value: object = None) -> None:
        """State the reason and, where one field is to blame, its name and value."""
        super().__init__(reason)
        self.reason = reason
        self.field = field
        self.value = value


class UnknownInstrument(ContractError):
    """A name resolves to no instrument, or to more than one."""


class BusError(QuantbusError):
    """The signal bus could not do what was asked."""


class BusUnavailable(BusError):
    """The database could not be reached or did not answer within the time-out."""

    retryable = True


class BusContended(BusUnavailable):
    """Other writers were at the same documents at the same moment; nothing was written."""


class KeyConflict(BusError):
    """``expected_version`` does not match the revision on the bus."""


class VenueError(QuantbusError):
    """An exchange could not do what was asked; ``kind`` is the word it is counted under."""

    def __init__(
        self, message: str, *, kind: str = "other", retry_after_seconds: float | None = None
    ) -> None:
        """State what happened and, where the venue said so, how long it wants to be left alone."""
        super().__init__(message)
        self.kind = kind
        self.retry_after_seconds = retry_after_seconds


class VenueUnavailable(VenueError):
    """The exchange is down, overloaded, rate limiting, or answered garbage."""

    retryable = True


class VenueRefused(VenueError):
    """The exchange understood the request and refused it."""


class ArtefactError(QuantbusError):
    """A model or manifest is missing, or is not what its hash says."""
