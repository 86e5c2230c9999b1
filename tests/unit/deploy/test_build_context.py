""".dockerignore: what a build may see is what the Dockerfiles copy, and nothing that somebody keeps beside it."""

import re
import subprocess
from pathlib import Path

import pytest


def as_expression(pattern: str) -> str:
    """Translate a pattern as Docker reads it; what it names it names with all below."""
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    found = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return "".join(parts.get(part, re.escape(part)) for part in found) + "(?:/.*)?"


def is_sent(root: Path, path: str) -> bool:
    sent = True
    for line in (root / ".dockerignore").read_text().splitlines():
        pattern = line.strip()
        if pattern and not pattern.startswith("#") and re.fullmatch(as_expression(pattern.lstrip("!")), path):
            sent = pattern.startswith("!")
    return sent


@pytest.mark.parametrize(
    "path",
    [
        *("executor/user_data/config.json", "executor/user_data/config.mine.json", "executor/.env", ".env"),
        *("executor/user_data/data/binance/BTC_USDT-1m.feather", "executor/user_data/notebooks/mine.ipynb"),
        *("executor/user_data/backtest_results/backtest.zip", "executor/user_data/tradesv3.sqlite"),
        *("executor/user_data/strategies/__pycache__/x.pyc", "executor/user_data/logs/freqtrade.log"),
        *(
            "secrets/bot.key",
            ".quantbus/secrets/admin.password",
            "backups/x",
            "services/web/node_modules/x.js",
        ),
    ],
)
def test_what_somebody_keeps_beside_the_code_gets_into_no_image(root: Path, path: str) -> None:
    assert not is_sent(root, path)


def test_all_that_the_bots_image_brings_is_sent(root: Path) -> None:
    command = ["git", "ls-files", "executor", "contracts/src", "deploy/docker/probe.py"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=30, check=True)
    tracked = [path for path in done.stdout.split() if not Path(path).name.startswith(".git")]
    assert len(tracked) > 50
    assert [path for path in tracked if not is_sent(root, path)] == []
