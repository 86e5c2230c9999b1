"""Qlib's own files, written from panels: calendars, instruments and one array of float32 for each field.

A store holds one or several timeframes of the same symbols. It is named by what is in it, written beside its place and
moved there when it is whole, so one that can be opened is complete. ``manifest.json`` says what it holds, with hashes.

Qlib keeps values as float32: seven digits. They are for its models; prices that orders depend on never come from here.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from quantbus_contracts.errors import ArtefactError, ConfigError
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.engine.frequency import frequency_of

__all__ = ["BinStore", "BinsManifest", "PeriodOfBins", "export_bins"]

_BARS = ("open", "high", "low", "close", "volume")
_MANIFEST = "manifest.json"
_FORMAT = 1


class PeriodOfBins(BaseModel):
    """What a store holds of one timeframe. Times are the bars' open times, UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timeframe: str
    first_open_time: datetime
    last_open_time: datetime
    bars: Mapping[str, int]
    """By Qlib's name of the instrument, with those that are missing in between."""
    missing: Mapping[str, int]
    """How many of them are missing: NaN in the files."""
    fields: tuple[str, ...]


class BinsManifest(BaseModel):
    """Says what a store holds; its id is the hash of the panels it was made of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = _FORMAT
    bins_id: str
    codes: Mapping[str, str]
    """Qlib's name of each instrument by its symbol on the bus."""
    source: str
    made_at: datetime
    frequencies: Mapping[str, PeriodOfBins]
    """By Qlib's name of the timeframe."""
    files: Mapping[str, str]
    """SHA-256 by path below the folder."""


@dataclass(frozen=True, slots=True)
class BinStore:
    """A folder that Qlib reads as its ``provider_uri``."""

    folder: Path
    manifest: BinsManifest

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open a store.

        Raises
        ------
        ArtefactError
            If there is none, or it cannot be read.
        """
        try:
            manifest = BinsManifest.model_validate_json((folder / _MANIFEST).read_bytes())
        except (OSError, ValidationError) as error:
            raise ArtefactError(
                f"cannot read Qlib data in {folder}: {error}; make it with `quantbus research convert`"
            ) from None
        return cls(folder, manifest)

    def verify(self) -> None:
        """Compare every file with its hash.

        Raises
        ------
        ArtefactError
            Naming the first file that is not the one that was written.
        """
        for name, expected in self.manifest.files.items():
            path = self.folder / name
            found = _sha256(path.read_bytes()) if path.is_file() else "no such file"
            if found != expected:
                raise ArtefactError(
                    f"expected {path} with sha256 {expected}, found {found}; make the data again"
                )


def export_bins(
    panels: Mapping[Timeframe, pd.DataFrame],
    codes: Mapping[str, str],
    folder: Path,
    *,
    source: str,
    now: datetime,
) -> BinStore:
    """Write panels as Qlib data below ``folder``; data that is there already and sound is left as it is.

    Parameters
    ----------
    panels
        By timeframe; each indexed by (symbol, datetime = bar open time, UTC) with open, high, low, close and volume,
        and any further numeric columns (funding, open interest …), which become fields of the same name.
    codes
        Qlib's name of each symbol; see `Instrument.qlib_code`.
    source
        Where the bars are from, for the manifest.

    Raises
    ------
    ConfigError
        If there are no bars, a symbol has no name or two have the same one, or a field's name is taken.
    """
    _require(panels, codes)
    bins_id = _identity(panels, codes)
    target = folder / bins_id
    if target.is_dir():
        try:
            standing = BinStore.open(target)
            standing.verify()
        except ArtefactError:
            shutil.rmtree(target)
        else:
            return standing
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".draft-", dir=folder) as workplace:
        draft = Path(workplace) / "bins"
        periods = {
            frequency_of(frame): _write_period(draft, frame, panel, codes) for frame, panel in panels.items()
        }
        _write_instruments(draft, panels, codes)
        files = {
            path.relative_to(draft).as_posix(): _sha256(path.read_bytes())
            for path in sorted(draft.rglob("*"))
            if path.is_file()
        }
        manifest = BinsManifest(
            bins_id=bins_id, codes=dict(codes), source=source, made_at=now, frequencies=periods, files=files
        )
        _write(draft / _MANIFEST, (manifest.model_dump_json(indent=2) + "\n").encode())
        try:
            draft.rename(target)
        except OSError:  # another process was quicker, with the same bars
            return BinStore.open(target)
    return BinStore(target, manifest)


def _require(panels: Mapping[Timeframe, pd.DataFrame], codes: Mapping[str, str]) -> None:
    if not panels or any(panel.empty for panel in panels.values()):
        raise ConfigError("expected bars of each timeframe, found none; widen the range or import them first")
    symbols = {
        str(symbol) for panel in panels.values() for symbol in panel.index.get_level_values(0).unique()
    }
    nameless = sorted(symbols - codes.keys())
    if nameless:
        raise ConfigError(f"expected a Qlib name for every symbol, found none for {', '.join(nameless)}")
    used = [codes[symbol].lower() for symbol in sorted(symbols)]
    if len(set(used)) < len(used):
        twice = sorted({name for name in used if used.count(name) > 1})
        raise ConfigError(
            f"expected a name of its own for every symbol, found {', '.join(twice)} twice (Qlib knows no venues): "
            "export one venue at a time"
        )
    for panel in panels.values():
        taken = {"vwap", "factor", "change"} & set(panel.columns)
        if taken:
            raise ConfigError(
                f"expected no column called {', '.join(sorted(taken))}, which Qlib's fields are called"
            )


def _identity(panels: Mapping[Timeframe, pd.DataFrame], codes: Mapping[str, str]) -> str:
    digest = hashlib.sha256(json.dumps([_FORMAT, dict(sorted(codes.items()))]).encode())
    for timeframe in sorted(panels):
        panel = panels[timeframe]
        digest.update(json.dumps([timeframe.name, list(panel.columns)]).encode())
        digest.update(np.ascontiguousarray(pd.util.hash_pandas_object(panel).to_numpy()).tobytes())
    return digest.hexdigest()[:32]


def _write_period(
    draft: Path, timeframe: Timeframe, panel: pd.DataFrame, codes: Mapping[str, str]
) -> PeriodOfBins:
    frequency = frequency_of(timeframe)
    opened = pd.DatetimeIndex(panel.index.get_level_values(1))
    # Every bar of the range, also those that nobody has: Qlib counts rows, and a hole must not move what follows.
    calendar = pd.date_range(opened.min(), opened.max(), freq=timeframe.delta)
    form = "%Y-%m-%d" if timeframe.is_daily else "%Y-%m-%d %H:%M:%S"
    _write(draft / "calendars" / f"{frequency}.txt", _lines(list(calendar.strftime(form))))
    bars, missing = {}, {}
    fields: tuple[str, ...] = ()
    for symbol, part in panel.groupby(level=0):
        code = codes[str(symbol)]
        table = part.droplevel(0)
        first, last = calendar.get_indexer(table.index[[0, -1]])
        whole = _with_qlib_fields(table).reindex(calendar[first : last + 1])
        bars[code], missing[code] = len(whole), len(whole) - len(table)
        fields = tuple(whole.columns)
        for name in fields:
            values = np.concatenate(([float(first)], whole[name].to_numpy(np.float64)))
            _write(draft / "features" / code.lower() / f"{name}.{frequency}.bin", _as_bin(values))
    return PeriodOfBins(
        timeframe=timeframe.name,
        first_open_time=calendar[0].to_pydatetime(),
        last_open_time=calendar[-1].to_pydatetime(),
        bars=bars,
        missing=missing,
        fields=fields,
    )


def _with_qlib_fields(table: pd.DataFrame) -> pd.DataFrame:
    """Add what Qlib's factors and its exchange ask for besides the bars.

    ``factor`` is 1: nothing is adjusted. ``change`` is the return since the bar before. Bars know no volume-weighted
    price, so ``vwap`` is the mean of high, low and close.
    """
    others = [name for name in table.columns if name not in _BARS]
    return table[[*_BARS]].assign(
        vwap=(table["high"] + table["low"] + table["close"]) / 3.0,
        factor=1.0,
        change=table["close"].pct_change(fill_method=None),
        **{name: table[name] for name in others},
    )


def _write_instruments(
    draft: Path, panels: Mapping[Timeframe, pd.DataFrame], codes: Mapping[str, str]
) -> None:
    """Write one list for all timeframes, with whole days: Qlib remembers the list by its name alone."""
    opened = pd.concat(
        [panel.index.to_frame(index=False).set_axis(["symbol", "at"], axis=1) for panel in panels.values()]
    )
    spans = opened.groupby("symbol")["at"].agg(["min", "max"])
    rows = [
        f"{codes[str(symbol)].upper()}\t{span['min']:%Y-%m-%d} 00:00:00\t{span['max']:%Y-%m-%d} 23:59:59"
        for symbol, span in spans.iterrows()
    ]
    _write(draft / "instruments" / "all.txt", _lines(sorted(rows)))


def _as_bin(values: NDArray[np.float64]) -> bytes:
    with np.errstate(over="ignore"):
        small = values.astype("<f4")
    return small.tobytes()


def _lines(rows: Sequence[str]) -> bytes:
    return ("\n".join(rows) + "\n").encode()


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(data)
        if path.name == _MANIFEST:
            file.flush()
            os.fsync(file.fileno())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
