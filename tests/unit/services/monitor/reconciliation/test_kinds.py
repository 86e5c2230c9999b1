"""What people are told of each kind."""

from pathlib import Path

from quantbus_services.monitor.reconciliation.kinds import ACCOUNT_KINDS, KINDS

PAGE = Path(__file__).resolve().parents[5] / "docs" / "reconciliation.md"


def test_the_page_names_every_kind_with_its_severity_and_whether_it_blocks() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| `")]
    told = {row[0].strip("`"): (row[3], row[4] == "yes") for row in cells if len(row) == 5}
    assert told == {name: (kind.severity.value, kind.blocks) for name, kind in KINDS.items()}


def test_every_kind_says_what_to_do_and_there_are_a_dozen_at_least() -> None:
    assert len(KINDS) >= 12
    assert all(len(kind.action) > 20 for kind in KINDS.values())
    assert not any(KINDS[name].blocks for name in ("account_unknown", "balance_differs"))
    assert {"account_flat", "account_unknown"} <= ACCOUNT_KINDS
