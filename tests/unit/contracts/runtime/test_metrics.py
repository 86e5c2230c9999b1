import socket
import urllib.request

import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.runtime.metrics import new_registry, serve_metrics


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2"])
def test_metrics_are_served_where_it_was_said_and_nowhere_else(host: str) -> None:
    port = serve_metrics(new_registry("test", "1"), 0, host=host)

    with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=5) as answer:
        assert b"quantbus_build_info" in answer.read()
    elsewhere = "127.0.0.3"
    with pytest.raises(OSError, match="refused"), socket.create_connection((elsewhere, port), timeout=5):
        pass


def test_an_address_that_cannot_be_had_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"found {port} on 127.0.0.1 unusable"):
            serve_metrics(new_registry("test", "1"), port)
