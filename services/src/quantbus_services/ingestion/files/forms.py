"""Which reader a file needs."""

from collections.abc import Callable
from pathlib import Path

from quantbus_contracts.errors import ContractError
from quantbus_services.ingestion.files.arrow import read_feather, read_parquet
from quantbus_services.ingestion.files.bars import FileBars
from quantbus_services.ingestion.files.csv_rows import read_csv
from quantbus_services.ingestion.files.freqtrade_json import read_freqtrade_json

__all__ = ["SUFFIXES", "read_bars", "require_known_form"]

_READERS: dict[str, Callable[[Path], FileBars]] = {
    ".parquet": read_parquet,
    ".feather": read_feather,
    ".csv": read_csv,
    ".csv.gz": read_csv,
    ".zip": read_csv,
    ".json": read_freqtrade_json,
    ".json.gz": read_freqtrade_json,
}
SUFFIXES: tuple[str, ...] = tuple(_READERS)


def read_bars(path: Path) -> FileBars:
    """Read a file by the form that its suffix names.

    Raises
    ------
    ContractError
        If it does not exist, is of no known form, or damaged.
    """
    return _reader(path)(path)


def require_known_form(path: Path) -> None:
    """Look at nothing but the path.

    Raises
    ------
    ContractError
        If there is no file, or its suffix names no known form.
    """
    _reader(path)


def _reader(path: Path) -> Callable[[Path], FileBars]:
    forms = ", ".join(SUFFIXES)
    if path.is_dir():
        raise ContractError(f"expected files of candles ({forms}) in the folder {path}, found none")
    if not path.is_file():
        raise ContractError(f"expected a file, found nothing at {path}; check the path")
    reader = next((read for suffix, read in _READERS.items() if path.name.lower().endswith(suffix)), None)
    if reader is None:
        raise ContractError(f"expected a file of candles ({forms}), found {path.name!r}")
    return reader
