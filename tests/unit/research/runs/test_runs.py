"""Runs of a recipe's graph: what is run, taken from the cache, resumed and written down."""

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_research.settings.nodes import ArtefactType, LabelSettings, ModelSettings, QlibSettings
from quantbus_research.workflows.nodes import KINDS, Artefact, Context, Inputs, NodeKind
from quantbus_research.workflows.runs import CACHE, RunManifest, RunOptions, rehearse_graph, run_graph
from quantbus_research.workflows.runs.keys import node_key
from tests.unit.research.runs.toys import KILL, NOW, RECIPE, Ears, Place, recipe

ROOT = Path(__file__).resolve().parents[4]
CHILD = "import sys; from tests.unit.research.runs.toys import main; main(*sys.argv[1:])"
COMPUTED = {"seen", "rises", "model", "policy", "trades", "gates"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def child(home: Path, *words: str, kill_at: Path | None = None) -> subprocess.Popen[str]:
    environment = {**os.environ, **({KILL: str(kill_at)} if kill_at else {})}
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(home), *words],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_every_node_is_run_once_after_those_it_waits_for(place: Place) -> None:
    report, ears = place.run()
    assert ears.outcomes() == dict.fromkeys(recipe().nodes, "done")
    order = ears.begun
    for name, node in recipe().nodes.items():
        assert all(order.index(item) < order.index(name) for item in node.inputs)
    assert order[-1] == "publish"
    assert report.manifest.state == "done"
    assert place.board.published == ["toys"]


def test_a_second_run_reads_the_bars_takes_all_else_from_the_cache_and_makes_the_same(place: Place) -> None:
    first, _ = place.run()
    second, ears = place.run()
    assert {name for name, outcome in ears.outcomes().items() if outcome == "cached"} == COMPUTED
    assert ears.outcomes()["bars"] == "done"
    assert second.manifest.manifest_hash == first.manifest.manifest_hash
    assert second.manifest.run_id != first.manifest.run_id


@pytest.mark.parametrize(
    ("override", "run_again"),
    [
        ("nodes.model.rounds=81", {"model", "policy", "trades", "gates"}),
        ("nodes.trades.capital=5.0", {"trades", "gates"}),
        ("nodes.bars.train_bars=290", COMPUTED),
        ("nodes.model.threads=2", set()),
        ("nodes.publish.valid_bars=3", set()),
        ('market.pairs=["ETH/USDT","BTC/USDT"]', COMPUTED),
        ("strategy_id=other", set()),
    ],
)
def test_what_a_setting_decides_is_run_again_and_nothing_else(
    place: Place, override: str, run_again: set[str]
) -> None:
    place.run()
    _, ears = place.run(recipe(override))
    again = {name for name, outcome in ears.outcomes().items() if outcome == "done"} & COMPUTED
    assert again == run_again


@pytest.mark.parametrize("file", ["own_models.py", "own_models/parts.py"])
def test_a_model_of_ones_own_is_known_by_its_source(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / file
    source.parent.mkdir(exist_ok=True)
    if source.parent != tmp_path:
        (source.parent / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    asked = QlibSettings(model="own_models.Ridge", train_bars=9, valid_bars=9, retrain_bars=9)

    def key(text: str) -> str:
        source.write_text(text, encoding="utf-8")
        return node_key(KINDS["qlib"], asked, recipe().market, ["bars"], NOW)

    first = key("penalty = 1.0\n")
    assert key("penalty = 2.0\n") != first
    assert key("penalty = 1.0\n") == first


def test_later_bars_do_not_run_again_what_is_computed_from_the_same_ones(place: Place) -> None:
    place.run()
    place.clock.advance(timedelta(minutes=5))
    _, ears = place.run()  # the toys' bars end where they ended
    assert {name for name, outcome in ears.outcomes().items() if outcome == "cached"} == COMPUTED


def test_a_cold_run_takes_nothing_from_the_cache_and_comes_to_the_same(place: Place) -> None:
    first, _ = place.run()
    cold, ears = place.run(cold=True)
    assert set(ears.outcomes().values()) == {"done"}
    assert not any(done.differs for done in ears.heard.values())
    assert cold.manifest.manifest_hash == first.manifest.manifest_hash


@pytest.mark.proof
@pytest.mark.timeout(400)
def test_one_job_and_two_come_to_the_same_bits(tmp_path: Path) -> None:
    one, _ = Place(tmp_path / "one").run(jobs=1)
    two, ears = Place(tmp_path / "two").run(jobs=2)
    assert ears.outcomes() == dict.fromkeys(recipe().nodes, "done")
    assert two.manifest.manifest_hash == one.manifest.manifest_hash
    told = [files_below(tmp_path / name / CACHE) for name in ("one", "two")]
    assert told[0] == told[1]


@pytest.mark.proof
@pytest.mark.timeout(400)
def test_a_killed_run_is_resumed_where_it_was_and_makes_the_same(tmp_path: Path) -> None:
    undisturbed, _ = Place(tmp_path / "calm").run()
    home, marker = tmp_path / "killed", tmp_path / "marker"
    marker.touch()
    killed = child(home, "1", kill_at=marker)
    killed.communicate(timeout=300)
    assert killed.returncode == -signal.SIGKILL
    [told] = (home / "runs" / "toys").glob("*/run.json")
    cut_off = RunManifest.model_validate_json(told.read_bytes())
    assert cut_off.state == "running"
    assert set(cut_off.nodes) == {"bars", "seen", "rises"}
    marker.unlink()

    place = Place(home)
    place.clock.advance(timedelta(hours=1))
    report, ears = place.run(resume=True)
    assert report.resumed
    assert report.manifest.run_id == cut_off.run_id
    assert report.manifest.as_of == cut_off.as_of, "it goes on as of the moment at which it began"
    assert {name for name, outcome in ears.outcomes().items() if outcome == "cached"} == {"seen", "rises"}
    assert report.manifest.manifest_hash == undisturbed.manifest.manifest_hash
    assert report.manifest.state == "done"

    again, _ = place.run(resume=True)
    assert not again.resumed, "what is finished is not gone on with"


@pytest.mark.proof
@pytest.mark.timeout(400)
def test_two_runs_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    alone, _ = Place(tmp_path / "alone").run()
    home = tmp_path / "shared"
    home.mkdir()
    both = [child(home, "1", "wait") for _ in range(2)]
    (home / "go").touch()
    said = [process.communicate(timeout=300)[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert {words[0] for words in said} == {alone.manifest.manifest_hash}
    assert len({words[1] for words in said}) == 2, "each has a folder of its own"
    assert not list((home / CACHE).glob(".draft-*"))
    expected = files_below(tmp_path / "alone" / CACHE)
    assert files_below(home / CACHE) == expected


@pytest.mark.parametrize("how", ["flipped", "shortened", "gone", "no manifest"])
def test_a_damaged_artefact_is_found_by_its_hash_and_made_again(place: Place, how: str) -> None:
    first, _ = place.run()
    assert first.manifest.essence is not None
    key = first.manifest.essence.nodes["seen"].key
    folder = place.home / CACHE / key[:2] / key
    table = folder / "tables" / "factors.arrow"
    whole = table.read_bytes()
    if how == "flipped":
        table.write_bytes(whole[:900] + bytes([whole[900] ^ 1]) + whole[901:])
    elif how == "shortened":
        table.write_bytes(whole[:-100])
    elif how == "gone":
        table.unlink()
    else:
        (folder / "artefact.json").write_text("{}", encoding="utf-8")
    second, ears = place.run()
    assert ears.heard["seen"].mended
    assert ears.outcomes()["seen"] == "done"
    assert ears.outcomes()["model"] == "cached"
    assert second.manifest.manifest_hash == first.manifest.manifest_hash
    assert table.read_bytes() == whole


def test_a_rehearsal_says_what_would_be_done_and_writes_nothing(place: Place) -> None:
    cold = rehearse_graph(recipe(), place.surroundings())
    assert list(place.home.iterdir()) == []
    assert cold.nodes == {"bars": "read", **dict.fromkeys(COMPUTED, "run"), "publish": "write"}
    assert cold.published == {}, "what has not been computed cannot be published yet"

    place.run()
    before = files_below(place.home)
    warm = rehearse_graph(recipe("nodes.trades.capital=5.0"), place.surroundings())
    assert {name for name, would in warm.nodes.items() if would == "run"} == {"trades", "gates"}
    known = rehearse_graph(recipe(), place.surroundings())
    assert len(known.published["publish"].table("signals")) == 2
    assert files_below(place.home) == before
    assert place.board.published == ["toys"], "only the run itself has published"


def test_a_dry_run_shows_the_rows_and_publishes_nothing(place: Place) -> None:
    report, _ = place.run(dry=True)
    assert place.board.published == []
    assert list(report.artefacts["publish"].table("signals")["pair"]) == ["BTC/USDT", "ETH/USDT"]
    wet, _ = place.run()
    assert place.board.published == ["toys"]
    assert wet.manifest.manifest_hash == report.manifest.manifest_hash, "what is said is the same"


def test_gates_that_refuse_end_the_run_as_refused(place: Place) -> None:
    report, _ = place.run(recipe("nodes.gates.information_ratio_above=1e9"))
    assert report.refused
    assert report.manifest.state == "refused"
    assert report.manifest.refused == ("gates",)
    assert place.board.published == []


def test_only_one_node_runs_it_and_those_it_waits_for(place: Place) -> None:
    _, ears = place.run(only="model")
    assert set(ears.outcomes()) == {"bars", "seen", "rises", "model"}
    assert place.board.published == []
    with pytest.raises(ConfigError, match=r"--only: expected one of bars, .*, found 'modl'"):
        place.run(only="modl")


def _failing(inputs: Inputs, settings: ModelSettings, context: Context) -> Artefact:
    raise ConfigError("expected more bars")


@pytest.mark.proof
@pytest.mark.timeout(400)
def test_of_two_nodes_at_a_time_the_one_that_does_not_fail_is_kept(place: Place) -> None:
    ears = Ears()
    kinds = place.surroundings(label=NodeKind(LabelSettings, _failing))
    with pytest.raises(ConfigError, match="expected more bars"):
        run_graph(recipe(), kinds, ears, options=RunOptions(jobs=2))
    assert ears.outcomes() == {"bars": "done", "seen": "done", "rises": "failed"}
    _, ears = place.run()
    assert ears.outcomes()["seen"] == "cached"


def _mistaken(inputs: Inputs, settings: ModelSettings, context: Context) -> Artefact:
    return Artefact(ArtefactType.FACTORS)


def test_a_node_that_fails_ends_the_run_and_keeps_what_is_done(place: Place) -> None:
    ears = Ears()
    with pytest.raises(ConfigError, match="expected more bars"):
        run_graph(recipe(), place.surroundings(model=NodeKind(ModelSettings, _failing)), ears)
    assert ears.outcomes() == {"bars": "done", "seen": "done", "rises": "done", "model": "failed"}
    [told] = (place.home / "runs" / "toys").glob("*/run.json")
    assert RunManifest.model_validate_json(told.read_bytes()).state == "failed"
    assert place.board.published == []
    report, ears = place.run(resume=True)
    assert report.resumed
    assert ears.outcomes()["seen"] == "cached"


def test_a_kind_that_makes_something_else_than_it_says_is_found_out(place: Place) -> None:
    from quantbus_contracts.errors import ArtefactError

    kinds = place.surroundings(model=NodeKind(ModelSettings, _mistaken))
    with pytest.raises(ArtefactError, match="expected scores of node model, found factors"):
        run_graph(recipe(), kinds, Ears())


def test_the_manifest_names_what_went_in_and_what_came_out(place: Place) -> None:
    report, _ = place.run(recipe("nodes.model.seed=11"))
    told = json.loads((report.folder / "run.json").read_text(encoding="utf-8"))
    essence = told["essence"]
    assert essence["inputs"] == {"bars": "snapshot-600"}
    assert essence["seeds"] == {"model": 11}
    assert essence["nodes"].keys() == recipe().nodes.keys() - {"publish"}
    assert told["published"].keys() == {"publish"}
    assert all(len(node["sha256"]) == 64 for node in essence["nodes"].values())
    assert essence["libraries"]["pandas"] == pd.__version__
    assert len(essence["installed"]) == 64
    assert told["nodes"]["model"]["seconds"] >= 0
    assert "threads" not in essence["recipe"]["nodes"]["model"]


def test_a_manifest_of_another_format_is_not_gone_on_with(place: Place) -> None:
    folder = place.home / "runs" / "toys" / "former"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text('{"state": "running"}', encoding="utf-8")
    report, _ = place.run(resume=True)
    assert not report.resumed


def test_a_run_that_goes_on_elsewhere_is_left_alone(place: Place) -> None:
    import fcntl

    with pytest.raises(ConfigError, match="expected more bars"):
        run_graph(recipe(), place.surroundings(model=NodeKind(ModelSettings, _failing)), Ears())
    [folder] = (place.home / "runs" / "toys").iterdir()
    with (folder / ".lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        report, _ = place.run(resume=True)
    assert not report.resumed
    assert report.folder != folder


def test_a_recipe_without_order_in_its_file_runs_all_the_same(place: Place) -> None:
    head, *tables = RECIPE.split("[nodes.")
    text = head + "".join(f"[nodes.{table}" for table in reversed(tables))
    backwards, _ = place.run(recipe(text=text))
    assert backwards.manifest.state == "done"
    assert place.run()[0].manifest.manifest_hash == backwards.manifest.manifest_hash
