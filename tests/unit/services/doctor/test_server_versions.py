"""Which releases of MongoDB have a fault that concerns an installation."""

import pytest

from quantbus_services.doctor.server_versions import advisory_finding, has_unsafe_zlib


@pytest.mark.parametrize(
    ("version", "unsafe"),
    [
        ("4.2.25", True),
        ("6.0.5", True),
        ("6.0.26", True),
        ("6.0.27", False),
        ("7.0.27", True),
        ("7.0.28", False),
        ("7.0.28-rc0", False),
        ("7.3.4", True),
        ("8.0.16", True),
        ("8.0.17", False),
        ("8.1.1", True),
        ("8.2.2", True),
        ("8.2.3", False),
        ("9.0.0", None),
        ("nothing", None),
    ],
)
def test_releases_that_give_memory_away_by_zlib_are_known(version: str, unsafe: bool | None) -> None:
    assert has_unsafe_zlib(version) is unsafe


def test_the_fault_counts_only_where_zlib_is_on() -> None:
    assert advisory_finding("6.0.5", zlib=True, in_set=True).status == "fail"
    assert advisory_finding("6.0.5", zlib=False, in_set=True).status == "ok"
    assert advisory_finding("7.0.28", zlib=True, in_set=True).status == "ok"


def test_it_is_unknown_where_the_server_does_not_tell_whether_zlib_is_on() -> None:
    assert advisory_finding("6.0.5", zlib=None, in_set=True).status == "unknown"


@pytest.mark.parametrize("in_set", [False, None])
def test_a_release_with_a_fault_outside_of_a_replica_set_fails_unless_it_surely_is_in_one(
    in_set: bool | None,
) -> None:
    found = advisory_finding("8.0.17", zlib=False, in_set=in_set)
    assert found.status == "fail"
    assert "SERVER-139311" in found.found
    assert advisory_finding("8.0.17", zlib=False, in_set=True).status == "ok"


def test_a_release_newer_than_this_list_is_a_warning() -> None:
    assert advisory_finding("9.0.0", zlib=False, in_set=True).status == "warn"
