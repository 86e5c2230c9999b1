"""Judges this machine: what is installed, what the environment says, who can read the secrets; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quantbus_services.doctor.exposure import Looked, exposure
from quantbus_services.doctor.findings import Finding, fail, ok, skipped, warn
from quantbus_services.doctor.on_bus import disk_finding

__all__ = ["MachineFacts", "machine_findings"]

_PYTHONS = ((3, 11), (3, 12))
_FREQTRADE = "2026.9"
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """What was looked at here. ``versions`` names what is installed; ``settings`` why settings cannot be read."""

    python: tuple[int, int]
    versions: Mapping[str, str]
    unknown_names: Sequence[str]
    settings: str
    secret_files: Sequence[Looked]
    env_file: Looked
    env_secrets: Sequence[str]
    disk: tuple[str, int, int] | None
    """The folder that was looked at, its disk's size and what of it is free, in bytes."""


def machine_findings(facts: MachineFacts) -> list[Finding]:
    """Return what every check of the machine came to."""
    return [
        _python(facts.python),
        _packages(facts.versions),
        _environment(facts.unknown_names),
        _settings(facts.settings),
        _secret_files(facts.secret_files),
        _env_file(facts.env_file, facts.env_secrets),
        _home_disk(facts.disk),
    ]


def _python(version: tuple[int, int]) -> Finding:
    expected, found = "Python 3.11 or 3.12", f"{version[0]}.{version[1]}"
    if version in _PYTHONS:
        return ok("python", expected, found)
    return fail("python", expected, found, "make the environment anew with `uv sync --python 3.12`")


def _packages(versions: Mapping[str, str]) -> Finding:
    expected = f"one version of quantbus, and Freqtrade {_FREQTRADE} where there is one"
    ours = {name: version for name, version in versions.items() if name.startswith("quantbus-")}
    told = ", ".join(f"{name} {version}" for name, version in versions.items())
    if len(set(ours.values())) > 1:
        return fail("packages", expected, told, "install all members from one checkout (`uv sync --frozen`)")
    freqtrade = versions.get("freqtrade")
    if freqtrade not in (None, _FREQTRADE):
        advice = f"install freqtrade=={_FREQTRADE}: the strategy depends on what its callbacks mean"
        return fail("packages", expected, told, advice)
    return ok("packages", expected, told)


def _environment(unknown: Sequence[str]) -> Finding:
    expected = "names that something reads"
    if not unknown:
        return ok("environment", expected, "so they are")
    advice = "correct or unset them (`quantbus settings` lists every name): no process starts beside them"
    return fail("environment", expected, f"nothing reads {_few(unknown)}", advice)


def _settings(wrong: str) -> Finding:
    expected = "settings that can be what they are"
    if not wrong:
        return ok("settings", expected, "they can")
    return fail("settings", expected, wrong, "correct them in the environment or in .env")


def _secret_files(files: Sequence[Looked]) -> Finding:
    expected = "secrets that only their owner can read"
    if not files:
        return skipped("secret-files", expected, "no file with a secret is named or kept here")
    absent = [f"{file.path}: {file.reason}" for file in files if file.mode is None]
    empty = [f"{file.path} is empty" for file in files if file.mode is not None and file.size == 0]
    open_to = {who: [str(f.path) for f in files if exposure(f) == who] for who in ("everyone", "group")}
    told = [f"everyone on this machine can read {path}" for path in open_to["everyone"]] + absent + empty
    if told:
        advice = (
            "chmod 600 the file, or chmod 700 its folder; a secret that others could read is to be made anew"
        )
        return fail(
            "secret-files",
            expected,
            _few(told),
            advice if open_to["everyone"] else "write the secret into it",
        )
    if open_to["group"]:
        told = [f"its group can read {path}" for path in open_to["group"]]
        return warn(
            "secret-files", expected, _few(told), "chmod 600 it, unless the group is the owner's alone"
        )
    return ok("secret-files", expected, f"{len(files)} files, for their owner alone")


def _env_file(file: Looked, secrets: Sequence[str]) -> Finding:
    expected = "no secret in .env that others can read"
    if file.mode is None:
        return skipped("env-file", expected, "no .env in this folder")
    if not secrets:
        return ok("env-file", expected, "no secret in it")
    if exposure(file):
        told = f"{', '.join(secrets)}, open to others"
        return fail(
            "env-file", expected, told, "chmod 600 .env, better: files of their own (names that end in _FILE)"
        )
    return ok("env-file", expected, f"{', '.join(secrets)}, for its owner alone")


def _home_disk(disk: tuple[str, int, int] | None) -> Finding:
    if disk is None:
        return skipped("home-disk", "room where quantbus keeps its files", "there is no such folder yet")
    return disk_finding("home-disk", disk[1], disk[2])


def _few(lines: Sequence[str]) -> str:
    more = f"; and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return "; ".join(lines[:_SHOWN]) + more
