"""Which MongoDB was tried, and which releases have a fault that matters here; pure."""

import re
from collections.abc import Mapping

from quantbus_services.doctor.findings import Finding, fail, ok, unknown, warn

__all__ = ["advisory_finding", "has_unsafe_zlib", "version_finding"]

Version = tuple[int, int, int]
_TRIED = ((6, 0), (7, 0), (8, 0))
_OLDEST = (6, 0)
# CVE-2025-14847: whoever reaches the port reads memory of the server, without a password. Fixed from these on.
_ZLIB_MENDED: Mapping[tuple[int, int], int] = {(6, 0): 27, (7, 0): 28, (8, 0): 17, (8, 2): 3}


def _parsed(text: str) -> Version | None:
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def version_finding(text: str) -> Finding:
    """Judge the release of the server."""
    expected = "MongoDB 6.0, 7.0 or 8.0"
    version = _parsed(text)
    if version is None:
        return unknown("server-version", expected, text, "ask the server with `quantbus bus status`")
    if version[:2] < _OLDEST:
        return fail("server-version", expected, text, "upgrade MongoDB, one major release after the other")
    if version[:2] not in _TRIED:
        return warn("server-version", expected, text, "use a release that quantbus is tested with: 7.0")
    return ok("server-version", expected, text)


def has_unsafe_zlib(text: str) -> bool | None:
    """Tell whether zlib of this release gives memory away; None: this release is not known."""
    version = _parsed(text)
    if version is None:
        return None
    mended = _ZLIB_MENDED.get(version[:2])
    if mended is not None:
        return version[2] < mended
    return True if version[:2] <= max(_ZLIB_MENDED) else None


def advisory_finding(text: str, *, zlib: bool | None, in_set: bool | None) -> Finding:
    """Judge known faults by what the server is used for; None: that could not be asked."""
    expected = "no release with a known fault that concerns this installation"
    unsafe, version = has_unsafe_zlib(text), _parsed(text)
    if version is not None and version[:2] == (8, 0) and in_set is not True:
        told = f"{text} outside of a replica set: SERVER-139311 is open there"
        return fail("server-advisories", expected, told, "make it a replica set, or use 7.0.28 or later")
    if unsafe is False:
        return ok("server-advisories", expected, text)
    if unsafe is None:
        told = f"{text}, of which nothing is known here"
        return warn(
            "server-advisories", expected, told, "look it up at mongodb.com/resources/products/alerts"
        )
    if zlib is None:
        told = f"{text}: CVE-2025-14847 unless zlib is off, which the server does not tell this user"
        advice = "ask as the monitor's user or as administrator; or upgrade to 7.0.28 or later"
        return unknown("server-advisories", expected, told, advice)
    if zlib:
        told = f"{text} with zlib: whoever reaches the port reads its memory (CVE-2025-14847)"
        advice = "upgrade to 6.0.27, 7.0.28 or 8.0.17, or start mongod with --networkMessageCompressors=snappy,zstd"
        return fail("server-advisories", expected, told, advice)
    return ok(
        "server-advisories", expected, f"{text}: CVE-2025-14847 is in it and out of reach, zlib being off"
    )
