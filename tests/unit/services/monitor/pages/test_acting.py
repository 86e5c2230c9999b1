"""Who may change what, and how a form has to look."""

from datetime import timedelta

import pytest

from quantbus_contracts.schema import Control, ControlKind
from tests.unit.services.monitor.pages.conftest import Browser
from tests.unit.services.monitor.pages.scene import NOW

BLOCK = {"kind": "block", "about": "pair", "name": "BTC/USDT", "lasting": "2h", "reason": "listing news"}


async def test_nobody_signed_in_changes_nothing(browser: Browser) -> None:
    answer = await browser.post("/controls", BLOCK)
    assert answer.status_code == 401
    assert (await browser.post("/controls/lift", {"scope": "all"})).status_code == 401
    assert (await browser.post("/findings/acknowledge", {"finding": "0" * 12})).status_code == 401
    assert browser.scene.memory.control_rows == {}


@pytest.mark.parametrize("scope", ["read", "write"])
async def test_a_key_without_the_scope_admin_does_not_sign_in(browser: Browser, scope: str) -> None:
    answer = await browser.post("/session", {"key": browser.scene.memory.give_key(scope=scope)})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


async def test_wrong_expired_and_revoked_keys_do_not_sign_in(browser: Browser) -> None:
    give = browser.scene.memory.give_key
    good = give()
    for text in (
        "",
        "nonsense",
        good[:-4] + "AAAA",
        give(expires_at=NOW - timedelta(hours=1)),
        give(revoked_at=NOW - timedelta(hours=1)),
    ):
        answer = await browser.post("/session", {"key": text})
        assert answer.status_code == 401
        assert good not in answer.text


async def test_guessing_is_heard_ten_times_a_minute(browser: Browser) -> None:
    for _ in range(10):
        assert (await browser.post("/session", {"key": "nonsense"})).status_code == 401
    good = browser.scene.memory.give_key()
    assert (await browser.post("/session", {"key": good})).status_code == 429
    browser.scene.clock.advance(timedelta(minutes=2))
    assert (await browser.post("/session", {"key": good})).status_code == 303


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(browser: Browser) -> None:
    answer = await browser.post("/session", {"key": browser.scene.memory.give_key()})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "qbk_" not in cookie


async def test_an_admin_sets_a_control_and_lifts_it(browser: Browser) -> None:
    token = await browser.sign_in()
    answer = await browser.post("/controls", {**BLOCK, "token": token})
    assert (answer.status_code, answer.headers["location"]) == (303, "/controls?done=set")
    [control] = browser.scene.memory.control_rows.values()
    assert (control.scope, control.kind, control.source) == ("pair:BTC/USDT", ControlKind.BLOCK, "operator")
    assert control.expires_at == NOW + timedelta(hours=2)
    assert control.by.startswith("ops (key ")
    assert "listing news" in await browser.text("/controls")
    answer = await browser.post("/controls/lift", {"scope": "pair:BTC/USDT", "token": token})
    assert answer.headers["location"] == "/controls?done=lifted"
    assert not browser.scene.memory.control_rows[control.key].is_active(NOW)
    again = await browser.post("/controls/lift", {"scope": "pair:BTC/USDT", "token": token})
    assert again.status_code == 409


async def test_what_another_set_is_not_lifted_here(browser: Browser) -> None:
    theirs = Control(
        scope="all", source="monitor", kind=ControlKind.BLOCK, reason="mismatch", at=NOW, by="monitor"
    )
    browser.scene.memory.control_rows[theirs.key] = theirs
    token = await browser.sign_in()
    assert (await browser.post("/controls/lift", {"scope": "all", "token": token})).status_code == 409
    assert theirs.is_active(NOW)
    assert "which alone lifts it" in await browser.text("/controls")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kind": "explode"}, "kind"),
        ({"kind": ""}, "kind"),
        ({"name": "<b>"}, "pair:BASE/QUOTE"),
        ({"about": "planet"}, "pair:BASE/QUOTE"),
        ({"about": "all"}, "expected none"),
        ({"lasting": "soon"}, "expected a duration"),
        ({"lasting": "0s"}, "expected a duration"),
        ({"reason": "   "}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"kind": "flatten"}, "tick the box"),
    ],
)
async def test_a_form_that_is_not_valid_does_nothing_and_says_why(
    browser: Browser, change: dict[str, str], told: str
) -> None:
    token = await browser.sign_in()
    answer = await browser.post("/controls", {**BLOCK, **change, "token": token})
    assert answer.status_code == 422
    assert told in answer.text
    assert "Nothing was done" in answer.text
    assert browser.scene.memory.control_rows == {}


async def test_flatten_goes_through_once_it_is_meant(browser: Browser) -> None:
    token = await browser.sign_in()
    form = {
        "kind": "flatten",
        "about": "all",
        "name": "",
        "reason": "venue down",
        "sure": "yes",
        "token": token,
    }
    assert (await browser.post("/controls", form)).status_code == 303
    [control] = browser.scene.memory.control_rows.values()
    assert (control.scope, control.kind, control.expires_at) == ("all", ControlKind.FLATTEN, None)


async def test_a_form_without_the_sessions_token_does_nothing(browser: Browser) -> None:
    token = await browser.sign_in()
    for wrong in ("", token[:-1], "ü"):
        assert (await browser.post("/controls", {**BLOCK, "token": wrong})).status_code == 403
    assert browser.scene.memory.control_rows == {}


@pytest.mark.parametrize(
    "headers", [{"origin": "http://evil.example"}, {"sec_fetch_site": "cross-site"}, {"origin": "null"}]
)
async def test_a_form_that_another_site_posts_does_nothing(browser: Browser, headers: dict[str, str]) -> None:
    token = await browser.sign_in()
    answer = await browser.post("/controls", {**BLOCK, "token": token}, **headers)
    assert answer.status_code == 403
    assert browser.scene.memory.control_rows == {}


async def test_only_forms_of_a_sane_size_are_read(browser: Browser) -> None:
    token = await browser.sign_in()
    big = await browser.post("/controls", {**BLOCK, "token": token, "more": "x" * 20_000})
    assert big.status_code == 413
    http = browser.http
    assert (await http.post("/controls", json=BLOCK)).status_code == 415
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert (await http.post("/controls", content=b"\xff\xfe=1", headers=form)).status_code == 400
    assert (await http.post("/controls", content=b"token=1&token=2", headers=form)).status_code == 400
    many = "&".join(f"f{index}=1" for index in range(30))
    assert (await http.post("/controls", content=many, headers=form)).status_code == 400


async def test_a_key_that_is_revoked_is_signed_out_at_its_next_act(browser: Browser) -> None:
    token = await browser.sign_in()
    keys = browser.scene.memory.keys
    for key_id, key in list(keys.items()):
        keys[key_id] = key.model_copy(update={"revoked_at": NOW})
    answer = await browser.post("/controls", {**BLOCK, "token": token})
    assert answer.status_code == 401
    assert browser.scene.memory.control_rows == {}
    assert "Signed in as" not in await browser.text("/controls")


async def test_a_session_ends_after_a_watch(browser: Browser) -> None:
    token = await browser.sign_in()
    browser.scene.clock.advance(timedelta(hours=8, seconds=1))
    assert (await browser.post("/controls", {**BLOCK, "token": token})).status_code == 401


async def test_whoever_signs_out_is_out(browser: Browser) -> None:
    token = await browser.sign_in()
    assert (await browser.post("/session/end", {"token": token})).status_code == 303
    assert (await browser.post("/controls", {**BLOCK, "token": token})).status_code == 401


async def test_a_key_for_some_strategies_reaches_no_further(browser: Browser) -> None:
    token = await browser.sign_in(strategies=("mine",))
    assert (await browser.post("/controls", {**BLOCK, "token": token})).status_code == 403
    mine = {**BLOCK, "about": "strategy", "name": "mine", "token": token}
    assert (await browser.post("/controls", mine)).status_code == 303
    lift = {"scope": "strategy:other", "token": token}
    assert (await browser.post("/controls/lift", lift)).status_code == 403
    finding = {"finding": "0" * 12, "reason": "mine", "token": token}
    assert (await browser.post("/findings/acknowledge", finding)).status_code == 403


async def test_an_admin_takes_a_finding_on(busy: Browser) -> None:
    token = await busy.sign_in()
    assert "Take it on</summary>" in await busy.text("/findings")
    finding = busy.scene.memory.recorded[0].finding_id
    form = {"finding": finding, "reason": "my own hand", "lasting": "2h", "token": token}
    answer = await busy.post("/findings/acknowledge", form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/findings")
    [(name, by, reason)] = busy.scene.memory.taken
    assert (name, reason) == (finding, "my own hand")
    assert by.startswith("ops (key ")
    for change in ({"finding": "x"}, {"reason": ""}, {"lasting": "soon"}):
        assert (await busy.post("/findings/acknowledge", {**form, **change})).status_code == 422
    assert (await busy.post("/findings/acknowledge", {**form, "finding": "0" * 12})).status_code == 409


async def test_a_bus_that_is_down_takes_no_form(browser: Browser) -> None:
    token = await browser.sign_in()
    browser.scene.memory.down = True
    answer = await browser.post("/controls", {**BLOCK, "token": token})
    assert answer.status_code == 503
    assert "expected an answer from the bus" in answer.text
