"""Artefacts on disk: what comes back, and what is refused."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quantbus_contracts.errors import ArtefactError
from quantbus_research.settings.nodes import ArtefactType
from quantbus_research.workflows.nodes import Artefact
from quantbus_research.workflows.runs import ArtefactStore
from quantbus_research.workflows.runs.keys import code_of
from quantbus_research.workflows.runs.store import identity_of
from tests.unit.research.panels import make_panel

KEY = "ab" * 32
NOW = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> ArtefactStore:
    return ArtefactStore(tmp_path / "nodes")


def of_tables(**tables: pd.DataFrame) -> Artefact:
    return Artefact(ArtefactType.FACTORS, tables, texts={"model.txt": "é\r\n"}, facts={"a": [1, None, 0.1]})


def odd_table() -> pd.DataFrame:
    panel = make_panel(50)
    holes = panel["close"].where(panel["close"] > panel["close"].median())
    return panel.assign(
        close=holes,
        count=np.arange(len(panel)),
        up=holes.notna(),
        word=np.array(["w", None] * (len(panel) // 2), dtype=object),
        known_at=pd.DatetimeIndex(panel.index.get_level_values(1)) + pd.Timedelta("1min"),
        tiny=np.float64(5e-324),
        zero=-0.0,
        endless=np.inf,
    )


def test_tables_texts_and_facts_come_back_bit_for_bit(store: ArtefactStore) -> None:
    table = odd_table()
    stored = store.save(KEY, of_tables(odd=table, plain=table.reset_index(drop=True)))
    back = store.read(KEY)
    assert back.texts == {"model.txt": "é\r\n"}
    assert back.facts == {"a": [1, None, 0.1]}
    pd.testing.assert_frame_equal(back.table("odd"), table, check_exact=True, check_freq=False)
    floats = table.select_dtypes("float64").to_numpy().view(np.int64)
    assert (back.table("odd").select_dtypes("float64").to_numpy().view(np.int64) == floats).all()
    assert isinstance(back.table("plain").index, pd.RangeIndex)
    assert stored.rows == len(table)


def test_the_same_is_stored_as_the_same_bytes_and_again_after_reading(tmp_path: Path) -> None:
    one, two = ArtefactStore(tmp_path / "one"), ArtefactStore(tmp_path / "two")
    first = one.save(KEY, of_tables(odd=odd_table()))
    assert two.save(KEY, of_tables(odd=odd_table())).sha256 == first.sha256
    assert two.save(KEY, one.read(KEY)).sha256 == first.sha256
    assert identity_of(of_tables(odd=odd_table())).sha256 == first.sha256


def test_what_is_read_may_be_changed_without_changing_what_is_kept(store: ArtefactStore) -> None:
    store.save(KEY, of_tables(odd=odd_table()))
    table = store.read(KEY).table("odd")
    table.iloc[:, 0] = 0.0
    assert store.find(KEY) is not None
    pd.testing.assert_frame_equal(store.read(KEY).table("odd"), odd_table(), check_freq=False)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (pd.DataFrame({"a": [1, "x"]}), "expected strings, or one type of numbers"),
        (pd.DataFrame({"a": [object()]}), "expected strings, or one type of numbers"),
        (pd.DataFrame({"a": pd.to_datetime(["2026-01-01"])}), "expected numbers, strings or times in UTC"),
        (pd.DataFrame({1: [1.0]}), "columns and index have names of their own"),
        (pd.DataFrame([[1.0, 2.0]], columns=["a", "a"]), "columns and index have names of their own"),
        (pd.DataFrame({"a": [1.0]}, index=[5]), "expected an index that has a name, or counts rows"),
        (pd.DataFrame({"a": [1j]}), "expected numbers, strings or times in UTC, found complex128"),
    ],
)
def test_what_could_not_come_back_as_it_was_is_refused(
    store: ArtefactStore, table: pd.DataFrame, told: str
) -> None:
    with pytest.raises(ArtefactError, match=told):
        store.save(KEY, of_tables(odd=table))
    assert store.find(KEY) is None


@pytest.mark.parametrize("name", ["../out", "a/b", ".hidden", "", "x" * 200])
def test_names_do_not_lead_out_of_the_folder(store: ArtefactStore, name: str) -> None:
    with pytest.raises(ArtefactError, match="expected letters, digits"):
        store.save(KEY, Artefact(ArtefactType.FILES, texts={name: "x"}))


def test_a_description_that_leads_elsewhere_is_not_believed(store: ArtefactStore) -> None:
    store.save(KEY, of_tables(odd=odd_table()))
    described = store.folder(KEY) / "artefact.json"
    text = described.read_text(encoding="utf-8")
    described.write_text(text.replace("tables/odd.arrow", "../../../odd.arrow"), encoding="utf-8")
    assert store.find(KEY) is None
    assert store.is_damaged(KEY)


def test_a_number_that_json_has_no_word_for_is_no_fact(store: ArtefactStore) -> None:
    with pytest.raises(ArtefactError, match="facts: expected what JSON can say"):
        store.save(KEY, Artefact(ArtefactType.BACKTEST, facts={"gain": float("nan")}))


def test_what_was_used_longest_ago_goes_first_and_what_is_in_use_stays(store: ArtefactStore) -> None:
    keys = [f"{number:02x}" * 32 for number in range(4)]
    for age, key in enumerate(keys):
        store.save(key, of_tables(odd=odd_table()))
        store.find(key, now=NOW - timedelta(hours=2.5 * age))
    size = sum(path.stat().st_size for path in store.folder(keys[0]).rglob("*") if path.is_file())
    assert store.trim(10 * size, NOW) == 0
    assert store.trim(int(3.5 * size), NOW) == size
    assert [store.find(key) is not None for key in keys] == [True, True, True, False]
    store.trim(1, NOW)
    assert [store.find(key) is not None for key in keys] == [True, True, True, False], "used within hours"
    store.trim(1, NOW + timedelta(days=1))
    assert not any(store.find(key) for key in keys)


def test_a_disk_that_takes_nothing_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ArtefactError, match=r"cannot keep an artefact in .*; make room there"):
        ArtefactStore(tmp_path / "file" / "nodes").save(KEY, of_tables(odd=odd_table()))


def test_the_code_of_a_kind_is_its_module_and_whatever_that_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quantbus_research.workflows.runs import keys

    for name, text in {
        "__init__": "",
        "kind": "from quantbus_fake.deep import number\nfrom quantbus_fake import beside\n",
        "deep": "def number():\n    import quantbus_fake.deeper\n",
        "deeper": "x = 1\n",
        "beside": "x = 1\n",
        "unused": "x = 1\n",
    }.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.setitem(keys._ROOTS, "quantbus_fake", tmp_path)

    def code() -> str:
        code_of.cache_clear()
        keys._read.cache_clear()
        return code_of("quantbus_fake.kind")

    before = code()
    (tmp_path / "unused.py").write_text("x = 2\n", encoding="utf-8")
    assert code() == before
    for name in ("beside", "deeper", "deep", "kind"):
        with (tmp_path / f"{name}.py").open("a", encoding="utf-8") as file:
            file.write("# changed\n")
        after = code()
        assert after != before, name
        before = after
