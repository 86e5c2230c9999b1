"""Load the fixtures."""

from hypothesis import settings

pytest_plugins = [
    "tests.fixtures.clock",
    "tests.fixtures.command",
    "tests.fixtures.mongo",
    "tests.fixtures.promtool",
    "tests.fixtures.shared_data",
]

# A law is not a benchmark: a busy machine must not fail it.
settings.register_profile("quantbus", deadline=None)
settings.load_profile("quantbus")
