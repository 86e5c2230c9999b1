"""What the driver raises, as errors of ours: whether to try again, and who must act."""

from collections.abc import Generator
from contextlib import contextmanager

from bson.errors import BSONError
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    ExecutionTimeout,
    InvalidURI,
    OperationFailure,
    PyMongoError,
    WaitQueueTimeoutError,
    WTimeoutError,
)

from quantbus_contracts.errors import BusContended, BusError, BusUnavailable, ConfigError
from quantbus_contracts.mongo.refusals import REFUSED_BY_VALIDATOR, told
from quantbus_contracts.runtime.redaction import redact

__all__ = ["translated_errors"]

# NotWritablePrimary, PrimarySteppedDown, InterruptedAtShutdown, InterruptedDueToReplStateChange, MaxTimeMSExpired
_PASSING_CODES = {10107, 189, 11600, 11602, 13435, 13436, 50, 91, 262}
_WRITE_CONFLICT, _NO_SUCH_TRANSACTION = 112, 251
_PASSING_LABELS = ("RetryableWriteError", "TransientTransactionError", "UnknownTransactionCommitResult")


@contextmanager
def translated_errors(*, bulk_errors: bool = False) -> Generator[None]:
    """Turn the driver's errors into ours; a bulk error only where no steps are left to look at its rows."""
    try:
        yield
    except BulkWriteError as error:
        if error.details.get("writeConcernErrors"):
            raise BusUnavailable("the bus did not confirm the write by majority in time") from error
        if any(item["code"] == _WRITE_CONFLICT for item in error.details["writeErrors"]):
            raise BusContended("another writer was at the same documents") from error
        if not bulk_errors:
            raise
        raise BusError(f"the bus did not take a row: {told(error.details['writeErrors'][0])}") from error
    except (AutoReconnect, ExecutionTimeout, WaitQueueTimeoutError, WTimeoutError) as error:
        raise BusUnavailable(_told(error)) from error
    except OperationFailure as error:
        raise _refusal(error) from error
    except (InvalidURI, ConfigurationError) as error:
        raise ConfigError(
            f"the address of the bus is wrong: {redact(str(error))}; check QUANTBUS_MONGO_URI"
        ) from None
    except (PyMongoError, BSONError) as error:
        raise BusError(f"the bus could not do it: {redact(str(error))}") from error


def _refusal(error: OperationFailure) -> BusError | ConfigError:
    if error.code in (_WRITE_CONFLICT, _NO_SUCH_TRANSACTION):
        return BusContended(f"another writer was at the same documents: {_told(error)}")
    if error.code in (13, 18):  # before labels: a read that logs in first is marked as worth trying again
        return ConfigError(
            f"the bus refused this user ({error.details and error.details.get('codeName')}); "
            "check the user, its password and its role (QUANTBUS_MONGO_USER and QUANTBUS_MONGO_PASSWORD_FILE say who "
            "asks; without them nobody does); roles older than this code are brought up to date by "
            "`quantbus bus init --with-auth`"
        )
    if error.code in _PASSING_CODES or any(error.has_error_label(label) for label in _PASSING_LABELS):
        return BusUnavailable(_told(error))
    if error.code == REFUSED_BY_VALIDATOR:
        return BusError(f"the bus did not take a row: {told(error.details or {'code': error.code})}")
    return BusError(f"the bus refused the request: {error}")


def _told(error: PyMongoError) -> str:
    first = redact(str(error)).split(", Timeout:")[0].split("(configured timeouts")[0].strip()
    return f"the bus did not answer in time: {first[:300]}; is it up? (`quantbus bus status`)"
