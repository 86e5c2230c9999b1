"""Secrets are taken out of text: those that are known in any spelling, and those that merely look like one."""

import base64
import html
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from quantbus_contracts.runtime.redaction import Redactor, redact, redact_value
from quantbus_contracts.runtime.settings import MongoSettings

# Printable and not; quotes, escapes, percent signs, line breaks, letters of other scripts.
SECRETS = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("'\"\\%/@:?#&=+ \n\t<>{}$"),
    min_size=5,
    max_size=24,
).filter(lambda text: len(text.strip()) >= 5 and len(set(text.strip())) >= 4)
PLAIN = st.text(
    st.sampled_from("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~+"),
    min_size=8,
    max_size=40,
).filter(lambda text: len(set(text)) >= 4)
MARK = "***"

RENDERINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "repr": repr,
    "json": json.dumps,
    "json with letters": lambda text: json.dumps(text, ensure_ascii=False),
    "json in json": lambda text: json.dumps(json.dumps({"x": text})),
    "repr in json": lambda text: json.dumps(repr({"x": text})),
    "repr in repr": lambda text: repr(repr(text)),
    "quoted": lambda text: quote(text, safe=""),
    "quoted, slashes kept": quote,
    "quoted in lower case": lambda text: re.sub("%..", lambda code: code[0].lower(), quote(text, safe="")),
    "quoted as a form": quote_plus,
    "html": html.escape,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
}


@pytest.mark.parametrize("rendering", RENDERINGS)
@given(secret=SECRETS, before=st.text(max_size=10), after=st.text(max_size=10))
def test_a_known_secret_is_found_in_every_spelling(
    rendering: str, secret: str, before: str, after: str
) -> None:
    redactor = Redactor()
    redactor.conceal(secret)
    rendered = RENDERINGS[rendering](secret)
    assert rendered.strip("\"'") not in redactor.redact(f"{before}{rendered}{after}")


@pytest.mark.parametrize("secret", ["hunter-of-settings", "ends/with%and @", "kännwort-ß€"])
def test_settings_make_their_secrets_known(secret: str) -> None:
    address = f"mongodb://user:{quote(secret, safe='')}@host:1/"
    MongoSettings(mongo_uri=SecretStr(address))
    for told in (secret, quote(secret, safe=""), repr(secret), address):
        assert secret not in redact(f"cannot use {told}")
        assert quote(secret, safe="") not in redact(f"cannot use {told}")


@given(secret=PLAIN, separator=st.sampled_from(["/", "@", ":", "#", "?"]), more=PLAIN)
def test_a_password_with_a_forgotten_escape_is_hidden_in_parts(
    secret: str, separator: str, more: str
) -> None:
    redactor = Redactor()
    redactor.conceal_address(f"mongodb://user:{secret}{separator}{more}@host:1/db")
    shown = redactor.redact(f"Port must be an integer: {secret!r}, bad database name {more!r}")
    assert secret not in shown
    assert more not in shown


FORMS = [
    "mongodb://user:{}@host:27017/?replicaSet=rs",
    "mongodb+srv://user:{}@cluster.example.net",
    "https://{}@host/path",
    "could not open 'mongodb://user:{}@a:1,b:2/db': refused",
    "mongodb://user:{}",
    "https:\\/\\/user:{}@host",
    "password={}",
    "password: {}",
    "Password = '{}'",
    'api_key="{}"',
    '{{"apiKey": "{}", "x": 1}}',
    '{{\\"token\\": \\"{}\\"}}',
    "{{'secret': '{}'}}",
    "b'password={}'",
    "Authorization: Bearer {}",
    "authorization=Basic {}",
    "curl -H 'X-Api-Key: {}'",
    "?access_token={}&x=1",
    "QUANTBUS_MONITOR_FREQTRADE_PASSWORD={}",
    "tlsCertificateKeyFilePassword={}",
    "Bearer {}",
    "Cookie: session={}",
    "first line\npassword={}\nlast line",
    "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("form", FORMS)
@given(secret=PLAIN.map(lambda text: f"zQ9{text}"))
def test_an_unknown_secret_is_found_by_where_it_stands(form: str, secret: str) -> None:
    shown = redact(form.format(secret))
    assert secret not in shown
    assert MARK in shown


@pytest.mark.parametrize(
    "harmless",
    [
        "mongodb://127.0.0.1:27017/?replicaSet=quantbus",
        "serving at http://127.0.0.1:8710, pid 12",
        "QUANTBUS_MONITOR_FREQTRADE_PASSWORD: Field required",
        "password_file=/run/secrets/ingest",
        "expected a token, found none",
        "2026-01-05T12:00:00+00:00 BINANCE:BTCUSDT 1m",
        "mongodb://quantbus_ingest:<password>@127.0.0.1:1/?authSource=admin",
    ],
)
def test_what_is_no_secret_stays(harmless: str) -> None:
    assert redact(harmless) == harmless


NAMES = st.sampled_from(["event", "password", "token", "uri", "detail", "n"])
VALUES = st.none() | st.booleans() | st.integers() | SECRETS | st.lists(SECRETS, max_size=2)


@given(line=st.dictionaries(NAMES, VALUES | st.dictionaries(NAMES, VALUES, max_size=2), max_size=4))
def test_a_line_of_json_stays_what_it_was_but_for_secrets(line: dict[str, object]) -> None:
    shown = redact_value(line)
    assert isinstance(shown, dict)
    assert shown.keys() == line.keys()
    assert [shown[name] for name in ("password", "token") if name in line] == [MARK] * (
        ("password" in line) + ("token" in line)
    )
    assert {name: shown[name] for name in line if isinstance(line[name], int)}.items() <= {
        **line,
        "password": MARK,
        "token": MARK,
    }.items()


@given(secret=SECRETS, name=NAMES)
def test_known_secrets_are_found_in_the_values_of_a_line(secret: str, name: str) -> None:
    redactor = Redactor()
    redactor.conceal(secret)
    line = {name: {name: [secret, {name: f"<{secret}>"}]}, "object": SimpleNamespace(held=secret)}
    assert secret not in str(redactor.redact_value(line))
    assert secret not in json.loads(json.dumps(redactor.redact_value(line))).__str__()


def test_redacting_twice_changes_nothing_more() -> None:
    for form in FORMS:
        once = redact(form.format("zQ9hunter2"))
        assert redact(once) == once


CRASH = """
import logging, sys
import structlog
from quantbus_contracts.runtime.logging import configure
from quantbus_contracts.runtime.redaction import conceal, redact_uncaught
{told}
configure("test", level="debug", json={json})
redact_uncaught()
secret = sys.argv[1]

def fail():
    try:
        raise ValueError("driver says mongodb://user:" + secret + "@host")
    except ValueError as error:
        raise RuntimeError({{"password": secret}}) from error

try:
    fail()
except RuntimeError as error:
    logging.getLogger("stdlib").exception("stdlib: %s", secret)
    structlog.get_logger("ours").exception("ours", detail=secret, error=str(error))
    logging.getLogger("uvicorn.error").error("Exception in ASGI application", exc_info=True)
    structlog.get_logger("ours").bind(uri="https://x:" + secret + "@host").info("bound", stack_info=True)
import threading
thread = threading.Thread(target=fail)
thread.start(); thread.join()
fail()
"""


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize(
    "secret", ["pl41n-c4nary-0f-t3st", "q\"uo'te\\s-and spaces", "lines\nof-canary\nhere"]
)
def test_logs_and_tracebacks_hold_no_secret(as_json: bool, secret: str) -> None:
    code = CRASH.format(json=as_json, told="conceal(sys.argv[1])")
    done = subprocess.run(
        [sys.executable, "-c", code, secret], capture_output=True, text=True, check=False, env={**os.environ}
    )
    assert done.returncode == 1
    assert done.stderr.count("RuntimeError") >= 4, done.stderr
    if as_json:
        lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
        assert {line["event"].split(":")[0] for line in lines} >= {"stdlib", "ours", "bound"}
    for spelling in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], *secret.split("\n")):
        assert spelling not in done.stdout + done.stderr


def test_control_without_the_redactor_the_canary_is_seen() -> None:
    logger = logging.getLogger("control")
    handler = logging.StreamHandler(stream := __import__("io").StringIO())
    logger.addHandler(handler)
    logger.error("password=%s", "canary-of-control")
    logger.removeHandler(handler)
    assert "canary-of-control" in stream.getvalue()
