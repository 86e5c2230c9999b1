"""A recipe that asks its gates speaks live only once they have said yes."""

from datetime import timedelta
from pathlib import Path

import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_research.workflows import require_passed
from tests.unit.research.runs.toys import Place, recipe

REFUSED = "nodes.gates.information_ratio_above=1000000.0"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_recipe_that_was_never_judged_may_not_speak(place: Place) -> None:
    with pytest.raises(ConfigError, match="found no run that asked them"):
        require_passed(recipe(), place.home)
    place.run(only="policy")
    with pytest.raises(ConfigError, match="found no run that asked them"):
        require_passed(recipe(), place.home)


def test_a_recipe_that_its_gates_let_pass_may_speak_and_no_other(place: Place) -> None:
    place.run()
    require_passed(recipe(), place.home)
    require_passed(recipe("nodes.model.threads=2"), place.home)
    with pytest.raises(ConfigError, match="found no run that asked them"):
        require_passed(recipe("nodes.policy.enter=0.2"), place.home)


def test_what_the_newest_run_said_counts(place: Place) -> None:
    asked = recipe(REFUSED)
    report, _ = place.run(asked)
    with pytest.raises(ConfigError, match=f"refuse it, as of .* in run {report.manifest.run_id}"):
        require_passed(asked, place.home)
    manifest = place.home / "runs" / "toys" / "later" / "run.json"
    manifest.parent.mkdir()
    later = {"state": "done", "as_of": report.manifest.as_of + timedelta(hours=1), "run_id": "later"}
    manifest.write_text(report.manifest.model_copy(update=later).model_dump_json(), encoding="utf-8")
    require_passed(asked, place.home)
    manifest.write_text("cut o", encoding="utf-8")
    with pytest.raises(ConfigError, match="refuse it"):
        require_passed(asked, place.home)


@pytest.mark.parametrize("override", ["nodes.publish.when_refused=publish", "nodes.publish.stage=production"])
def test_who_publishes_whatever_they_say_or_was_promoted_needs_no_run(place: Place, override: str) -> None:
    require_passed(recipe(override), place.home)
