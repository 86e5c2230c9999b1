"""What an operator needs at the command line works with the operator's role and no more."""

import pytest

from quantbus_contracts.testing import make_signal
from tests.integration.security.conftest import Guarded
from tests.integration.security.test_processes import quantbus

pytestmark = pytest.mark.integration
SIGNAL = make_signal(strategy_id="operated")


@pytest.mark.parametrize(
    "arguments",
    [
        ("signals", "list", "--json"),
        ("signals", "show", SIGNAL.signal_id),
        ("signals", "export"),
        ("signals", "tail", "--since", "1h", "--limit", "1", "--json"),
        ("strategies", "show", "operated"),
        ("controls", "list"),
        ("audit", "verify", "--strategy-id", "operated"),
        ("audit", "export"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_the_operator_reads_the_bus(guarded: Guarded, arguments: tuple[str, ...]) -> None:
    file = guarded.home / "signal.jsonl"
    file.write_text(SIGNAL.model_dump_json(exclude_none=True), encoding="utf-8")
    published = quantbus(guarded, "operator", "signals", "publish", str(file))
    assert published.returncode == 0, published.stdout + published.stderr
    done = quantbus(guarded, "operator", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
