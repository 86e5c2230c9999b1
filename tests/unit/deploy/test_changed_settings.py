"""A change in .env reaches the bot: Compose makes anew only what differs, and the bot's config is another service's."""

import re
from pathlib import Path

import pytest

from tests.unit.deploy.test_compose import resolved
from tests.unit.deploy.test_compose_money import SIGNED

PLAIN = ("docker-compose.yml",)
LAID_OVER = {
    "paper": ("paper", PLAIN, "freqtrade", "bot-config"),
    "dry run": ("live", PLAIN, "freqtrade-live", "bot-config-live"),
    "rehearsal": ("live", (*PLAIN, "deploy/compose/rehearsal.yml"), "freqtrade-live", "bot-config-live"),
    "money": ("live", (*PLAIN, "deploy/compose/money.yml"), "freqtrade-live", "bot-config-live"),
}


@pytest.mark.parametrize("stage", LAID_OVER)
def test_a_bot_is_made_anew_when_what_its_config_is_made_of_changed(root: Path, stage: str) -> None:
    profile, files, bot, config = LAID_OVER[stage]
    before = resolved(root, profile, files=files, **SIGNED)["services"]
    names = {
        "STACK_DATABASES",
        *re.findall(r"\$\{(STACK_\w+)", "".join((root / f).read_text() for f in files)),
    }
    reached = set()
    for name in sorted(names - {"STACK_SECRETS", "STACK_MESSAGES"}):
        after = resolved(root, profile, files=files, **{**SIGNED, name: "7"})["services"]
        if after[config] != before[config]:
            reached.add(name)
            assert after[bot] != before[bot], f"{name} would wait for the bot's next start"
    assert {"STACK_PAIRS", "STACK_STRATEGY_ID", "STACK_TIMEFRAME"} <= reached
    if stage in ("rehearsal", "money"):
        assert {"STACK_MONEY_CAPITAL", "STACK_MONEY_STAKE"} <= reached
