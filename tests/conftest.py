"""Load the fixtures."""

pytest_plugins = ["tests.fixtures.clock", "tests.fixtures.mongo", "tests.fixtures.shared_data"]
