"""Every page in a real Chromium: what it shows, that it complains of nothing and loads nothing from elsewhere."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Served, Tabs, Watched, miss

pytestmark = pytest.mark.proof

PAGES = {
    "/": "2 things need you now",
    "/strategies": "Strategies",
    "/strategies/momentum-1m": "momentum-1m",
    "/candles?symbol=BINANCE%3ABTCUSDT&timeframe=1m": "BINANCE:BTCUSDT 1m",
    "/positions": "Positions",
    "/data": "Data",
    "/findings": "Findings",
    "/controls": "Controls",
}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


def newest_filled(served: Served) -> str:
    return f"/signals/{served.scene.memory.signals[-2].signal_id}"


def assert_calm(tab: Watched) -> None:
    assert tab.complaints == []
    assert tab.strangers == []


@pytest.fixture
def charts(served: Served) -> None:
    if not served.scene.site.assets.complete:
        miss("the charts' libraries were not made here: `make web` makes them, where npm is")


@pytest.mark.parametrize(
    "options",
    [{"color_scheme": "light"}, {"color_scheme": "dark"}, PHONE],
    ids=["light", "dark", "phone"],
)
def test_every_page_shows_what_it_is_about_and_is_calm(
    tabs: Tabs, served: Served, options: dict[str, object]
) -> None:
    tab = tabs.open(**options)
    for path, heading in {**PAGES, newest_filled(served): "BTC/USDT: exit long"}.items():
        tab.open(path)
        expect(tab.page.locator("h1")).to_have_text(heading)
        expect(tab.page.locator("#verdict")).to_have_text("2 things need you now")
        assert tab.overflow <= 0, f"{path} is wider than the screen"
        assert tab.page.evaluate("document.title").startswith("2 things need you now")
    assert_calm(tab)


def test_dark_is_dark_and_light_is_light(tabs: Tabs) -> None:
    def brightness(scheme: str) -> int:
        tab = tabs.open(color_scheme=scheme)
        tab.open("/")
        colour = str(tab.page.evaluate("getComputedStyle(document.body).backgroundColor"))
        return sum(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(","))

    assert brightness("dark") < 150 < 600 < brightness("light")


def test_without_javascript_every_table_is_there(tabs: Tabs, served: Served) -> None:
    tab = tabs.open(java_script_enabled=False)
    rows = {
        "/": 15,
        "/strategies": 4,
        "/strategies/momentum-1m": 16,
        "/candles": 40,
        "/positions": 15,
        "/data": 4,
        "/findings": 7,
        "/controls": 1,
        newest_filled(served): 9,
    }
    for path, least in rows.items():
        tab.open(path)
        assert tab.page.locator("tbody tr").count() >= least, path
        assert tab.page.locator("noscript meta[http-equiv=refresh]").count() == (path != "/controls")
    tab.open("/candles")
    assert "Every figure stands in the table" in tab.page.content()
    assert_calm(tab)


def test_a_page_refreshes_itself_and_says_when_the_monitor_is_gone(
    tabs: Tabs, served: Served, charts: None
) -> None:
    tab = tabs.open()
    tab.page.clock.install()
    tab.open("/")
    expect(tab.page.locator("h1")).to_have_text("2 things need you now")
    for check in ("signal_missing", "position_mismatch", "heartbeat_lost"):
        served.scene.find(check)
    tab.page.clock.run_for(11_000)
    expect(tab.page.locator("h1")).to_have_text("All is well")
    expect(tab.page.locator("#verdict")).to_have_text("All is well")
    expect(tab.page.locator("link[rel=icon]")).to_have_attribute("href", re.compile("icon-good"))
    served.scene.board.bus_failed("expected an answer, found none")
    tab.page.clock.run_for(11_000)
    expect(tab.page.locator("h1")).to_have_text("Nothing is known")
    expect(tab.page.locator("#stale")).to_be_hidden()
    served.stop()
    tab.page.clock.run_for(11_000)
    expect(tab.page.locator("#stale")).to_be_visible()
    assert tab.strangers == []


def test_a_refresh_does_not_take_away_what_somebody_is_busy_with(
    tabs: Tabs, served: Served, charts: None
) -> None:
    tab = tabs.open()
    tab.page.clock.install()
    sign_in(tab, served)
    tab.open("/findings")
    tab.page.locator("summary").click()
    tab.page.locator("input[name=reason]").fill("my own hand")
    with tab.page.expect_response("**/findings"):
        tab.page.clock.run_for(11_000)
    expect(tab.page.locator("input[name=reason]")).to_have_value("my own hand")
    tab.page.get_by_role("button", name="Take it on").click()
    tab.page.wait_for_url("**/findings")
    assert [taken[2] for taken in served.scene.memory.taken] == ["my own hand"]
    assert_calm(tab)


def test_candles_are_drawn_with_their_marks_in_either_colours(
    tabs: Tabs, served: Served, charts: None
) -> None:
    for scheme in ("light", "dark"):
        tab = tabs.open(color_scheme=scheme)
        tab.open("/candles?symbol=BINANCE%3ABTCUSDT&timeframe=1m")
        chart = tab.page.locator("#candles")
        expect(chart).to_have_attribute("data-bars", "240")
        expect(chart).to_have_attribute("data-marks", "27")
        assert chart.locator("canvas").count() > 1
        assert_calm(tab)


def test_delays_are_drawn(tabs: Tabs, charts: None) -> None:
    tab = tabs.open(**PHONE)
    tab.open("/strategies/momentum-1m")
    expect(tab.page.locator("#delays")).to_have_attribute("data-bars", "15")
    expect(tab.page.locator("#delays canvas")).to_be_visible()
    assert tab.overflow <= 0
    assert_calm(tab)


def sign_in(tab: Watched, served: Served) -> None:
    tab.open("/controls")
    tab.page.get_by_label("Admin key").fill(served.scene.memory.give_key())
    tab.page.get_by_role("button", name="Sign in").click()
    expect(tab.page.get_by_text("Signed in as ops")).to_be_visible()


def test_an_admin_sets_and_lifts_a_control_by_hand(tabs: Tabs, served: Served) -> None:
    tab = tabs.open()
    sign_in(tab, served)
    tab.page.get_by_label("block make no new entries").check()
    tab.page.get_by_label("About").select_option("pair")
    tab.page.get_by_label("Its name").fill("BTC/USDT")
    tab.page.get_by_label("Why").fill("listing news <b>")
    tab.page.get_by_role("button", name="Set", exact=True).click()
    expect(tab.page.get_by_role("status")).to_contain_text("The control is recorded")
    expect(tab.page.get_by_text("listing news <b>")).to_be_visible()
    tab.page.get_by_role("button", name="Lift").click()
    expect(tab.page.get_by_role("status")).to_contain_text("The control is lifted")
    tab.page.get_by_role("button", name="Sign out").click()
    expect(tab.page.get_by_label("Admin key")).to_be_visible()
    assert_calm(tab)


def test_a_wrong_form_keeps_what_was_typed_and_says_what_is_wrong(tabs: Tabs, served: Served) -> None:
    tab = tabs.open()
    sign_in(tab, served)
    tab.page.get_by_label("flatten leave every position").check()
    tab.page.get_by_label("About").select_option("all")
    tab.page.get_by_label("Why").fill("venue down")
    tab.page.get_by_role("button", name="Set", exact=True).click()
    expect(tab.page.get_by_role("alert").filter(has_text="Nothing was done")).to_contain_text("tick the box")
    expect(tab.page.get_by_label("Why")).to_have_value("venue down")
    assert len(served.scene.memory.control_rows) == 1
    assert tab.strangers == []
