"""The bus against a model of it: thousands of steps, each compared."""

import sys
from contextlib import closing

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.schema import signal
from tests.integration.bus_model.machine import BusMachine, Rig

pytestmark = [pytest.mark.proof, pytest.mark.integration, pytest.mark.timeout(300)]
STEPS = 1_000


def run_machine(connection: Connection, given: settings) -> Rig:
    rig = Rig.build(connection)
    with closing(rig.interrupted):
        run_state_machine_as_test(lambda: BusMachine(rig), settings=given)  # type: ignore[arg-type]  # any factory
    return rig


IN_CI = settings(
    max_examples=10,
    stateful_step_count=50,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate,),
)


def test_the_bus_and_its_model_agree_after_every_step(connection: Connection) -> None:
    rig = run_machine(connection, IN_CI)
    sys.stdout.write(f"{dict(rig.steps)}\n")
    assert sum(rig.steps.values()) - rig.steps["race_met"] >= STEPS, rig.steps
    assert rig.steps["race_met"] > 50, f"too few races met: {rig.steps}"


def test_either_order_of_a_race_may_be_told_where_both_leave_the_same(connection: Connection) -> None:
    """Equal content is `unchanged` before the revision of the other, and stale after it."""
    key, said = ("BTC/USDT", 0), {"action": "enter_long"}
    rig = Rig.build(connection)
    with closing(rig.interrupted):
        machine = BusMachine(rig)
        machine.publish(batch=[(key, said)], publisher="one")
        machine.race(
            ours=[(key, said | {"weight": -1.0})],
            theirs=[(key, said)],
            expected={},
            their_expected={key: 0},
            commands=0,
        )
        machine.teardown()


def test_the_control_whose_hash_forgets_a_field_is_caught(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = tuple(name for name in signal._HASHED_FIELDS if name != "stop_price")
    monkeypatch.setattr(signal, "_HASHED_FIELDS", fields)
    with pytest.raises(AssertionError):
        run_machine(connection, IN_CI)
