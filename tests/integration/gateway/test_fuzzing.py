"""The gateway against its own OpenAPI."""

import pytest

from tests.integration.gateway.fuzzing import fuzz
from tests.integration.gateway.running import Gateway

pytestmark = [pytest.mark.proof, pytest.mark.integration]


def test_made_up_requests_are_answered_as_the_openapi_says(gateway: Gateway) -> None:
    tally = fuzz(gateway, cases=400)
    assert tally.total() >= 300, tally
    assert {"200", "207", "422"} <= set(tally), tally  # they come past the first door
    assert not [status for status in tally if status >= "500"]


def test_the_openapi_shows_an_example_and_the_errors_of_every_route(gateway: Gateway) -> None:
    described = gateway.http.get("/openapi.json").json()
    for path in ("/v1/signals", "/v1/hooks/tradingview/{strategy_id}"):
        post = described["paths"][path]["post"]
        assert post["requestBody"]["content"]["application/json"]["examples"]
        assert {"400", "401", "403", "413", "422", "429", "503"} <= set(post["responses"])
    assert "HTTPBearer" in described["components"]["securitySchemes"]
    assert "HTTPValidationError" not in described["components"]["schemas"]
