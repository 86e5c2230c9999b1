"""What the pages about running it tell people to type exists: services, options, targets, files and settings."""

import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from quantbus_contracts.cli.root import build
from tests.unit.deploy.test_compose import PROFILES, resolved, tool
from tests.unit.deploy.test_compose_money import FILES, REHEARSAL, SIGNED

ROOT = Path(__file__).resolve().parents[3]
PAGES = [
    ROOT / "README.md",
    *(
        ROOT / "docs" / f"{name}.md"
        for name in (
            *("alerting", "backup", "compose", "doctor", "going-live", "install", "operations"),
            *("security", "upgrading"),
        )
    ),
]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`([^`\n]+)`")
SHELL = {"sh", "bash", ""}
ELLIPSIS = "…"
RUN_TAKES = {"-v", "-e", "--entrypoint", "--user", "--name"}
"""Options of `docker compose run` and `exec` that are followed by a value."""


def commands(first: str) -> list[str]:
    return sorted({line for page in PAGES for line in spoken(page) if line.split()[0] == first})


def spoken(page: Path) -> Iterator[str]:
    """Yield every command of a page, in blocks and within sentences, without what stands before and behind it."""
    text = page.read_text(encoding="utf-8")
    blocks = [code for kind, code in BLOCK.findall(text) if kind in SHELL]
    lines = [line for code in blocks for line in code.replace("\\\n", " ").splitlines()]
    for said in [*lines, *INLINE.findall(BLOCK.sub("", text))]:
        plain = re.sub(r"(^|\s)#.*", "", said).strip()
        for part in re.split(r"\s*(?:&&|\|\||;)\s*", plain):
            words = re.sub(
                r"^(sudo|uv run|\.venv/bin/(?=quantbus))\s*", "", re.sub(r"^(\w+=\S* )+", "", part)
            )
            if re.match(r"(quantbus|make|docker|sh|freqtrade) ", words):
                yield re.sub(r"<[^>]*>", "PLACE", words)


def test_the_pages_have_commands_of_every_kind() -> None:
    for first in ("quantbus", "make", "docker", "sh"):
        assert len(commands(first)) > 1, first


def complain(words: list[str]) -> str | None:
    """Return why the command line does not take these words; None if it does, or if they go on where we cannot see."""
    command: Any = get_command(build(tuple(words)))
    while (below := getattr(command, "commands", None)) is not None:
        if not words or words[0] == ELLIPSIS or words[0].startswith("-"):
            return None
        if words[0] not in below:
            return f"no command {words[0]}"
        command, words = below[words[0]], words[1:]
    known = {"--help", *(option for each in command.params for option in (*each.opts, *each.secondary_opts))}
    unknown = [word for word in words if word.startswith("-") and word.partition("=")[0] not in known]
    return f"unknown {unknown}" if unknown else None


def refusal(line: str) -> str | None:
    return complain(shlex.split(line.replace(ELLIPSIS, f" {ELLIPSIS} "))[1:])


@pytest.mark.parametrize("line", commands("quantbus"))
def test_quantbus_takes_what_the_pages_say(line: str) -> None:
    assert refusal(line) is None


@pytest.mark.parametrize(
    "line", ["quantbus doctor --compos .", "quantbus bus backups x", "quantbus keys create --scopes read"]
)
def test_what_quantbus_does_not_take_would_be_noticed(line: str) -> None:
    assert refusal(line) is not None


@pytest.mark.parametrize("line", commands("make"))
def test_make_has_the_target(line: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in (word for word in line.split()[1:] if "=" not in word):
        assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), target


@cache
def services() -> Mapping[str, Mapping[str, object]]:
    found: Mapping[str, Mapping[str, object]] = resolved(ROOT, *PROFILES, files=FILES, **SIGNED)["services"]
    return found


@cache
def options_of(verb: str) -> set[str]:
    shown = subprocess.run(
        [tool("docker-compose"), verb, "--help"], capture_output=True, text=True, timeout=60, check=True
    )
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", shown.stdout)) | {"-T"}


def after_options(words: list[str], verb: str) -> list[str]:
    """Return what follows a verb's own options: services, or one service and its command."""
    while words and words[0].startswith("-"):
        assert words[0].partition("=")[0] in options_of(verb), (
            f"{words[0]} is unknown to docker compose {verb}"
        )
        words = words[2 if words[0] in RUN_TAKES else 1 :]
    return words


@pytest.mark.parametrize("line", [line for line in commands("docker") if line.startswith("docker compose ")])
def test_compose_has_the_service_the_option_and_the_command(line: str) -> None:
    verb, *words = shlex.split(line.replace(ELLIPSIS, f" {ELLIPSIS} "))[2:]
    if verb == ELLIPSIS:
        return
    if verb in ("run", "exec"):
        bare = "--entrypoint" in words
        service, *inside = after_options(words, verb)
        assert service in services()
        if bare or not inside:
            return
        image = str(services()[service]["image"])
        if verb == "exec" or image.startswith("quantbus-executor"):
            assert inside.pop(0) in ("quantbus", "freqtrade")
        assert complain(inside) is None, inside
    elif verb == "cp":
        source, target = words
        assert target.partition(":")[0] in services(), source
    elif verb in ("up", "stop", "start", "restart", "logs"):
        flags = [word for word in words if word.startswith("-")]
        assert {flag.partition("=")[0] for flag in flags} <= options_of(verb)
        named = [word for word in words if not word.startswith("-") and not re.fullmatch(r"\d+[smh]", word)]
        assert set(named) <= set(services()), line
    else:
        assert {word.partition("=")[0] for word in words if word.startswith("-")} <= options_of(verb)


@pytest.mark.parametrize("line", commands("sh"))
def test_scripts_are_there(line: str) -> None:
    words = line.split()
    assert (ROOT / words[1]).is_file()


def test_settings_that_the_pages_put_into_env_are_explained_there() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    explained = set(re.findall(r"^#? ?([A-Z_]+)=", example, re.MULTILINE))
    for page in PAGES:
        named = set(re.findall(r"\b(STACK_[A-Z_]*[A-Z])\b", page.read_text(encoding="utf-8")))
        assert named <= explained, page.name


def test_the_stages_of_going_live_are_files_and_profiles_that_there_are() -> None:
    page = (ROOT / "docs/going-live.md").read_text(encoding="utf-8")
    assert set(re.findall(r"docker-compose\.yml:(\S+?\.yml)", page)) == {FILES[1], REHEARSAL[1]}
    for line in re.findall(r"^\| \w[\w ]* \| `([a-z,]+)` \|", page, re.MULTILINE):
        assert set(line.split(",")) <= set(PROFILES)
    volumes = set(re.findall(r"`(freqtrade[a-z-]*)` \|$", page, re.MULTILINE))
    known: set[str] = set()
    for files in ((), FILES, REHEARSAL):
        known |= resolved(ROOT, *PROFILES, files=files, **SIGNED)["volumes"].keys()
    assert volumes == {name for name in known if name.startswith("freqtrade")}
