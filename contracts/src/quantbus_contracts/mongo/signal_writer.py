"""Writes signals: insert the new, revise the changed, leave equal content untouched.

Only `quantbus_contracts.bus` imports this module. A batch runs in waves (a key that stands twice in it is
published twice, in order). Each wave first reads what stands; rows that are missing are inserted together,
rows that differ are revised on condition that nobody else did so meanwhile. Whatever fails half-way (a broken
connection, a racing publisher) is read again and carried on, a bounded number of times. Every write carries the
batch's id, so that reading again tells our own rows from another publisher's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from quantbus_contracts.errors import BusError, BusUnavailable
from quantbus_contracts.mongo.documents import run_row, signal_row
from quantbus_contracts.mongo.revisions import MOST_REVISIONS, revision_filter, revision_pipeline
from quantbus_contracts.mongo.steps import Call, Row, Steps, bulk_write, find, insert_many, server_time
from quantbus_contracts.schema import PublishRun, Signal

__all__ = ["Outcome", "RowResult", "publish_signals", "record_rejections", "record_run"]

COLLECTION = "crypto_signals"
BATCH = 1_000
ATTEMPTS = 5
_DUPLICATE = 11000
_VALIDATION = 121


class Outcome(StrEnum):
    """What became of one row."""

    INSERTED = "inserted"
    REVISED = "revised"
    UNCHANGED = "unchanged"
    STALE = "stale"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of one row, and why if it was refused."""

    outcome: Outcome
    reason: str = ""


@dataclass(slots=True)
class _Wave:
    """Rows with distinct keys on their way to the bus; ``open`` are those without a result yet."""

    rows: dict[str, Row]
    expected: Mapping[str, int]
    batch_id: str
    results: dict[str, RowResult] = field(default_factory=dict)

    @property
    def open(self) -> list[str]:
        return [identity for identity in self.rows if identity not in self.results]

    def settle(self, identity: str, outcome: Outcome, reason: str = "") -> None:
        self.results[identity] = RowResult(outcome, reason)


def publish_signals(
    signals: Sequence[Signal],
    *,
    publisher: str,
    batch_id: str,
    default_valid_until: Callable[[Signal], datetime],
    expected_versions: Mapping[str, int] | None = None,
) -> Steps[list[RowResult]]:
    """Publish valid signals; return one result per signal, in order.

    ``expected_versions`` (by signal id) makes a row `Outcome.STALE` where the bus holds another version, 0
    meaning that none is expected.

    Raises
    ------
    BusUnavailable
        If the bus could not be read at all: then nothing was written.
    """
    results: list[RowResult | None] = [None] * len(signals)
    for number, positions in enumerate(_waves(signals)):
        mark = f"{batch_id}.{number}"  # waves tell their own rows from those of a twin before
        rows = {
            signals[position].signal_id: signal_row(
                signals[position],
                valid_until=signals[position].valid_until or default_valid_until(signals[position]),
                publisher=publisher,
                batch_id=mark,
            )
            for position in positions
        }
        wave = _Wave(rows, expected_versions or {}, mark)
        yield from _publish_wave(wave, may_fail=all(result is None for result in results))
        for position in positions:
            results[position] = wave.results[signals[position].signal_id]
    return [result for result in results if result is not None]


def _waves(signals: Sequence[Signal]) -> list[list[int]]:
    """Split positions into bounded groups without twins, keeping the order of twins."""
    waves: list[list[int]] = []
    depth: dict[str, int] = {}
    layers: list[list[int]] = []
    for position, signal in enumerate(signals):
        level = depth.get(signal.signal_id, 0)
        depth[signal.signal_id] = level + 1
        if level == len(layers):
            layers.append([])
        layers[level].append(position)
    for layer in layers:
        waves += [layer[start : start + BATCH] for start in range(0, len(layer), BATCH)]
    return waves


def _publish_wave(wave: _Wave, *, may_fail: bool) -> Steps[None]:
    read = False
    for _ in range(ATTEMPTS):
        try:
            stored = yield from _stored(wave.open, with_history=read)
            read = True
            missing, changed = _sort_out(wave, stored)
            yield from _insert(wave, missing)
            yield from _revise(wave, changed)
        except BusUnavailable:
            if not read and may_fail:
                raise
        if not wave.open:
            return
    for identity in wave.open:
        wave.settle(identity, Outcome.UNKNOWN, "the bus did not confirm it; publish the same row again")


def _stored(identities: list[str], *, with_history: bool) -> Steps[dict[str, Row]]:
    """Read what stands; after a first write also whose revisions it has been since."""
    fields = ["content_hash", "version", "batch_id"] + (
        ["history.batch_id", "history.version"] if with_history else []
    )
    rows = yield find(COLLECTION, {"_id": {"$in": identities}}, dict.fromkeys(fields, 1))
    return {row["_id"]: row for row in rows}


def _sort_out(wave: _Wave, stored: dict[str, Row]) -> tuple[list[str], list[str]]:
    """Settle what needs no write; return the ids to insert, and those to revise."""
    missing: list[str] = []
    changed: list[str] = []
    for identity in wave.open:
        found = stored.get(identity)
        version = found["version"] if found else 0
        ours = _our_version(found, wave.batch_id) if found else None
        if ours is not None:
            wave.settle(identity, Outcome.INSERTED if ours == 1 else Outcome.REVISED)
        elif found and found["content_hash"] == wave.rows[identity]["content_hash"]:
            wave.settle(identity, Outcome.UNCHANGED)
        elif wave.expected.get(identity, version) != version:
            reason = f"expected version {wave.expected[identity]}, the bus holds version {version}"
            wave.settle(identity, Outcome.STALE, reason)
        elif not found:
            missing.append(identity)
        elif version > MOST_REVISIONS:
            reason = f"too_many_revisions: {version - 1} revisions stand already"
            wave.settle(identity, Outcome.REJECTED, reason)
        else:
            changed.append(identity)
    return missing, changed


def _our_version(found: Row, batch_id: str) -> int | None:
    """Return the version that this batch wrote, though another publisher may have revised it since."""
    for state in (found, *found.get("history", ())):
        if state["batch_id"] == batch_id:
            return int(state["version"])
    return None


def _insert(wave: _Wave, identities: list[str]) -> Steps[None]:
    if not identities:
        return
    now: datetime = yield server_time()
    rows = [
        wave.rows[identity] | {"version": 1, "available_at": now, "history": []} for identity in identities
    ]
    errors: dict[int, Row] = {}
    try:
        yield insert_many(COLLECTION, rows)
    except BulkWriteError as failure:
        errors = {item["index"]: item for item in failure.details["writeErrors"]}
    for index, identity in enumerate(identities):
        error = errors.get(index)
        if error is None:
            wave.settle(identity, Outcome.INSERTED)
        elif error["code"] != _DUPLICATE:  # a duplicate stays open: another publisher was first, look again
            wave.settle(identity, Outcome.REJECTED, _validator_reason(error))


def _validator_reason(error: Row) -> str:
    if error["code"] == _VALIDATION:
        return f"refused by the database's validator: {error.get('errInfo', {}).get('details', error['errmsg'])!r}"
    return f"refused by the database: {error['errmsg']}"


def _revise(wave: _Wave, identities: list[str]) -> Steps[None]:
    if not identities:
        return
    requests = [
        UpdateOne(
            revision_filter(wave.rows[identity], wave.expected.get(identity)),
            revision_pipeline(wave.rows[identity]),
        )
        for identity in identities
    ]
    try:
        result = yield bulk_write(COLLECTION, requests)
    except BulkWriteError as failure:
        for error in failure.details["writeErrors"]:
            wave.settle(identities[error["index"]], Outcome.REJECTED, _validator_reason(error))
        return  # the rest is read again: the batch's id tells which of them were written
    if result.matched_count == len(requests):
        for identity in identities:
            wave.settle(identity, Outcome.REVISED)


def record_run(run: PublishRun) -> Steps[None]:
    """Note that a strategy was evaluated for a bar; the newest note wins."""
    row = run_row(run)
    yield Call("publish_runs", "replace_one", ({"_id": row["_id"]}, row), {"upsert": True})


def record_rejections(rows: Sequence[Row], publisher: str) -> Steps[None]:
    """Keep refused rows, with the reason and who sent them."""
    now: datetime = yield server_time()
    try:
        yield insert_many(
            "crypto_signals_rejected",
            [{**row, "published_by": publisher, "rejected_at": now} for row in rows],
        )
    except BulkWriteError as error:
        raise BusError(f"could not keep refused rows: {error.details['writeErrors'][0]['errmsg']}") from error
