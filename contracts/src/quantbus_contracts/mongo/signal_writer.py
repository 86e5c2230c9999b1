"""Writes signals and their audit: insert the new, revise the changed, leave equal content untouched.

Only `quantbus_contracts.bus` imports this module. Signals of one strategy run in waves: at most a thousand rows, and
a key that stands twice is published twice, in order. Each wave first reads what stands, the head of the strategy's
audit and the server's clock in one question; then rows and audit row are written in one transaction, or none are.
Whatever came between (another publisher, a broken connection) is read again and carried on, a bounded number of
times. Every write carries the wave's mark, so that reading again tells our own rows from another publisher's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from quantbus_contracts.errors import BusContended, BusError, BusUnavailable
from quantbus_contracts.mongo.audit_log import append, back_off
from quantbus_contracts.mongo.audit_rows import Entry, audit_row
from quantbus_contracts.mongo.author import Author
from quantbus_contracts.mongo.documents import run_row, signal_row
from quantbus_contracts.mongo.publish_turns import Place
from quantbus_contracts.mongo.publish_wave import Outcome, RowResult, State, Wave, read_state
from quantbus_contracts.mongo.refusals import told
from quantbus_contracts.mongo.revisions import revision_filter, revision_pipeline
from quantbus_contracts.mongo.steps import (
    Call,
    Row,
    Steps,
    bulk_write,
    in_transaction,
    insert_many,
    new_deadline,
    server_time,
)
from quantbus_contracts.schema import Declaration, PublishRun, Signal

__all__ = [
    "Outcome",
    "Publication",
    "Published",
    "RowResult",
    "publish_signals",
    "record_rejections",
    "record_run",
]

COLLECTION = "crypto_signals"
BATCH = 1_000
MOST_BREAKS = 3
"""How often a wave goes on after a broken connection. Each try has a time-out of its own, two seconds to take back a
transaction, and a pause of at most a quarter of a second: a wave that meets a silent bus ends within four time-outs and
nine seconds, and the waves after it are not sent. A wave that meets other publishers ends after 60 meetings or half a
minute in line, whichever comes first."""
_DUPLICATE = 11000
_UNSENT = "not sent: the bus had stopped answering; publish the same row again"
_UNCONFIRMED = "the bus did not confirm it; publish the same row again"
_CROWDED = "too many published for this strategy at once; nothing was written, publish the same row again"


@dataclass(frozen=True, slots=True)
class Publication:
    """How a batch is published: by whom, under which mark, within which declaration."""

    author: Author
    batch_id: str
    declaration: Declaration
    default_valid_until: Callable[[Signal], datetime]
    expected_versions: Mapping[str, int]
    dry_run: bool = False
    crowded: dict[str, float] = field(default_factory=dict)
    """What the publisher remembers of meetings with others; see `publish_turns`."""
    may_fail: bool = True
    """Whether nothing was written before, so that an unreachable bus may be raised instead of reported."""


@dataclass(frozen=True, slots=True)
class Published:
    """What became of each row, and the declaration that was in force."""

    results: list[RowResult]
    declaration: Declaration


class _RowRefused(BusError):
    """The database refused one row of a wave, so the whole wave was taken back."""

    def __init__(self, signal_id: str, reason: str) -> None:
        super().__init__(reason)
        self.signal_id = signal_id
        self.reason = reason


def publish_signals(
    signals: Sequence[Signal], identities: Sequence[str], publication: Publication
) -> Steps[Published]:
    """Publish valid signals of one strategy, given with their ids; return what became of each, in order.

    Raises
    ------
    BusUnavailable
        If the bus could not be read at all: then nothing was written.
    """
    declaration = publication.declaration
    results: dict[int, RowResult] = {}
    assumed: dict[str, Row] = {}
    lost = False
    for number, positions in enumerate(_waves(identities)):
        wave = Wave(
            signals={identities[position]: signals[position] for position in positions},
            hashes={identities[position]: signals[position].content_hash for position in positions},
            expected=publication.expected_versions,
            mark=f"{publication.batch_id}.{number}",  # waves tell their own rows from those of a twin before
            declaration=declaration,
        )
        if lost:
            wave.give_up(_UNSENT)
        elif publication.dry_run:
            yield from _rehearse(wave, assumed)
        else:
            yield new_deadline()
            lost = yield from _publish_wave(wave, publication, may_fail=not results and publication.may_fail)
        declaration = wave.declaration
        results |= {position: wave.results[identities[position]] for position in positions}
    return Published([results[position] for position in range(len(signals))], declaration)


def _waves(identities: Sequence[str]) -> Iterator[list[int]]:
    """Split positions into bounded groups without twins, keeping the order of twins."""
    seen: dict[str, int] = {}
    layers: list[list[int]] = []
    for position, identity in enumerate(identities):
        level = seen.get(identity, 0)
        seen[identity] = level + 1
        if level == len(layers):
            layers.append([])
        layers[level].append(position)
    for layer in layers:
        yield from (layer[start : start + BATCH] for start in range(0, len(layer), BATCH))


def _rehearse(wave: Wave, assumed: dict[str, Row]) -> Steps[None]:
    """Settle a wave as it would be; ``assumed`` is what the waves before would have written."""
    yield new_deadline()
    state = yield from read_state(wave, again=False)
    state.stored.update(assumed)
    yield from wave.heed(state)
    missing, changed = wave.sort_out(state)
    for identity in (*missing, *changed):
        version = int(state.stored[identity]["version"]) + 1 if identity in state.stored else 1
        assumed[identity] = {
            "content_hash": wave.hashes[identity],
            "version": version,
            "batch_id": wave.mark,
        }
        wave.settle(identity, Outcome.INSERTED if version == 1 else Outcome.REVISED)


def _publish_wave(wave: Wave, publication: Publication, *, may_fail: bool) -> Steps[bool]:
    """Settle a wave; return whether the bus stopped answering."""
    was_read = False
    breaks = 0
    place = Place(wave.declaration.strategy.strategy_id, publication.crowded)
    yield from place.enter()
    while wave.open and place.patient and breaks <= MOST_BREAKS:
        try:
            state = yield from read_state(wave, again=was_read)
            was_read = True
            wave.recognise(state)
            yield from wave.heed(state)
            missing, changed = wave.sort_out(state)
            if missing or changed:
                yield from in_transaction(_write(wave, publication, state, missing, changed))
                wave.settle_all(missing, Outcome.INSERTED)
                wave.settle_all(changed, Outcome.REVISED)
        except _RowRefused as refusal:  # each such round settles a row, so there is an end to them
            wave.settle(refusal.signal_id, Outcome.REJECTED, refusal.reason)
            yield new_deadline()
        except BusContended:
            yield from place.wait()
        except BusUnavailable:
            if not was_read and may_fail:
                raise
            breaks += 1
            yield back_off(breaks)
    yield from place.leave()
    wave.give_up(_UNCONFIRMED if breaks else _CROWDED)
    return breaks > MOST_BREAKS


def _write(
    wave: Wave, publication: Publication, state: State, missing: list[str], changed: list[str]
) -> Steps[None]:
    """Write the audit row (another publisher is met at once there), the new rows, the revisions."""
    versions = {identity: int(state.stored[identity]["version"]) for identity in changed}
    entries = [
        Entry(identity, versions.get(identity, 0) + 1, wave.hashes[identity])
        for identity in wave.open  # in the order in which they were given
    ]
    yield from append(
        audit_row(
            wave.declaration.strategy.strategy_id,
            state.head,
            publication.author,
            at=state.now,
            batch_id=wave.mark,
            declaration=wave.declaration.version,
            entries=entries,
        )
    )
    if missing:
        fresh = {"version": 1, "available_at": state.now, "history": []}
        rows = [_row(wave, publication, identity) | fresh for identity in missing]
        yield from _refusing(insert_many(COLLECTION, rows), missing)
    if changed:
        requests = [
            UpdateOne(
                revision_filter(identity, versions[identity]),
                revision_pipeline(_row(wave, publication, identity), now=state.now),
            )
            for identity in changed
        ]
        result = yield from _refusing(bulk_write(COLLECTION, requests), changed)
        if result.matched_count != len(requests):
            raise BusContended("a signal was revised by another publisher meanwhile")


def _row(wave: Wave, publication: Publication, identity: str) -> Row:
    signal = wave.signals[identity]
    return signal_row(
        signal,
        signal_id=identity,
        content_hash=wave.hashes[identity],
        valid_until=signal.valid_until or publication.default_valid_until(signal),
        publisher=publication.author.publisher,
        batch_id=wave.mark,
    )


def _refusing(call: Call, identities: list[str]) -> Steps[Any]:
    """Make a call that writes one row per identity; name the row that the database refuses."""
    try:
        return (yield call)
    except BulkWriteError as failure:
        error = failure.details["writeErrors"][0]
        if error["code"] == _DUPLICATE:
            raise BusContended("a signal was published by another publisher meanwhile") from failure
        raise _RowRefused(identities[error["index"]], told(error)) from failure


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
        raise BusError(f"could not keep refused rows: {told(error.details['writeErrors'][0])}") from error
