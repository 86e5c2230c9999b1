"""A report prints for people, notebooks and machines, whatever was published."""

import json
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.schema import PublishReport, Rejection

REJECTION = Rejection(3, "score", "nan", "expected a finite number")


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        assert not attrs

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_a_report_says_what_became_of_every_row() -> None:
    report = PublishReport(inserted=2, stale=1, rejections=(REJECTION,), notes=("declared: demo",))
    told = str(report)
    assert told.splitlines()[0] == "2 inserted, 1 stale, 1 rejected"
    assert "note: declared: demo" in told
    assert "row 3: score: expected a finite number (found nan)" in told
    assert (report.total, report.ok) == (4, False)


def test_a_dry_run_says_so() -> None:
    assert str(PublishReport(inserted=1, dry_run=True)) == "dry run, nothing was written: 1 inserted"
    assert str(PublishReport()) == "no rows"


def test_many_rejections_are_cut_short_in_print_and_whole_in_json() -> None:
    report = PublishReport(rejections=tuple(Rejection(n, "ts", "x", "bad") for n in range(500)))
    assert "… and 480 more" in str(report)
    assert "… and 480 more" in report._repr_html_()
    assert len(json.loads(report.to_json())["rejections"]) == 500


@given(st.text(), st.text(), st.text(), st.text())
def test_nothing_published_becomes_markup(field: str, value: str, reason: str, note: str) -> None:
    parser = Tags()
    rows = (Rejection(0, field, value + "<img src=x onerror=alert(1)>", reason + "<script>"),)
    parser.feed(PublishReport(rejections=rows, notes=(note + "<b onclick=x>",))._repr_html_())
    assert parser.seen == {"p", "b", "table", "tr", "th", "td"}
    assert "<script>" in "".join(parser.text)


@given(st.text(), st.integers(0, 9), st.booleans())
def test_json_reads_back(text: str, count: int, dry_run: bool) -> None:
    report = PublishReport(
        inserted=count,
        unknown=1,
        rejections=(Rejection(0, text, text, text),),
        notes=(text,),
        dry_run=dry_run,
    )
    assert json.loads(report.to_json()) == report.as_dict()
