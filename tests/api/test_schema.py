"""The schema tells the truth: schemathesis calls every operation with whatever fits and does not fit it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import schemathesis
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.site import web_site
from tests.installation import Installation
from tickets.models import Scope

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
DOCUMENT: dict[str, Any] = json.loads(json.dumps(SchemaGenerator().get_schema(public=True)))
SHAPES = DOCUMENT["components"]["schemas"]
schema = schemathesis.openapi.from_dict(DOCUMENT)
schemathesis.serializer.alias("application/x-ndjson", "text/plain")
SEED = """
from tests.factories import fallen_back, scored, submitted
scored(); fallen_back(2); submitted(); submitted()
"""
_SEEDED = 5
# Its answer to a request line over 4,094 bytes; the application never sees such a request.
_TOO_LONG_FOR_GUNICORN = 414
# A refusal as good as a 400, though schemathesis does not count it as one.
_TOO_LARGE = 413
answered: dict[str, set[int]] = defaultdict(set)


@schema.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Numbers of tickets and policies that mostly are there; else nearly every answer would be a 404."""
    return path_parameters and {
        name: value % (_SEEDED + 2) if isinstance(value, int) else value for name, value in path_parameters.items()
    }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with web_site(tmp_path_factory.mktemp("site"), SCORER="scoring.keyword.Keyword") as site:
        site.shell(SEED)
        yield site


@pytest.fixture(scope="module")
def key(site: Installation) -> str:
    return site.manage("api_key", "everything", *[word for scope in Scope.values for word in ("--scope", scope)])


@schema.parametrize()
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_operation_answers_as_its_schema_says(case: Any, site: Installation, key: str) -> None:
    answer = case.call(base_url=site.url, headers={"Authorization": f"Bearer {key}"})
    if answer.status_code == _TOO_LONG_FOR_GUNICORN:
        return
    answered[case.operation.label].add(answer.status_code)
    # Of many tickets at once each stands alone: what is wrong with one is told in its line.
    is_bulk, is_refused = case.operation.path.endswith("/bulk/"), answer.status_code == _TOO_LARGE
    # A value such as an empty list leaves nothing in the address that could be refused.
    is_sent = set(case.query or {}) <= set(parse_qs(urlsplit(answer.request.url).query, keep_blank_values=True))
    strict = [negative_data_rejection] if is_sent and not is_bulk and not is_refused else []
    case.validate_response(answer, checks=[*CHECKS, *strict])


def test_every_operation_was_answered_with_success_too() -> None:
    """Else the test before this one says nothing about what callers mostly see."""
    operations = {f"{method.upper()} {path}" for path, item in DOCUMENT["paths"].items() for method in item}
    if set(answered) != operations:
        pytest.skip("counts what the test before it got, which did not run as a whole")
    assert {operation for operation in operations if answered[operation] & {200, 201, 202}} == operations


def test_the_schema_is_openapi_and_the_one_that_is_served(site: Installation) -> None:
    validate_schema(DOCUMENT)
    assert site.get("/api/v1/schema/?format=json").json() == DOCUMENT


def test_every_operation_needs_a_key_and_says_what_may_go_wrong() -> None:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            assert operation["security"] == [{"key": []}], path
            assert {"401", "403"} <= set(operation["responses"]), path
            if "requestBody" in operation:
                assert {"400", "413", "415"} <= set(operation["responses"]), (method, path)


@pytest.mark.parametrize(
    ("shape", "field", "limit"),
    [
        ("TicketInRequest", "subject", 300),
        ("TicketInRequest", "body", 65_536),
        ("TicketInRequest", "source", 32),
        ("TicketInRequest", "external_id", 200),
        ("RequesterInRequest", "email", 254),
        ("RequesterInRequest", "name", 200),
        ("RequesterInRequest", "region", 64),
        ("RequesterInRequest", "locale", 35),
        ("MessageInRequest", "body", 65_536),
        ("OverrideInRequest", "reason", 500),
        ("ConfirmInRequest", "reason", 500),
        ("ReasonInRequest", "reason", 500),
        ("PolicyInRequest", "rubric", 8_000),
        ("PolicyInRequest", "reason", 500),
    ],
)
def test_limits_on_sizes_are_stated(shape: str, field: str, limit: int) -> None:
    assert SHAPES[shape]["properties"][field]["maxLength"] == limit


def test_no_text_that_comes_in_is_without_a_limit() -> None:
    for name, shape in SHAPES.items():
        if name.endswith("InRequest"):
            assert shape["additionalProperties"] is False, name
            for field, value in shape["properties"].items():
                bounded = {"maxLength", "pattern", "$ref"} & set(value) or value.get("format") == "date-time"
                assert bounded, f"{name}.{field}"


def test_limits_on_many_and_on_filters_are_stated() -> None:
    bulk = DOCUMENT["paths"]["/api/v1/tickets/bulk/"]["post"]
    assert bulk["requestBody"]["content"]["application/json"]["schema"]["maxItems"] == 1_000
    assert "16 MiB" in bulk["description"]
    assert "256 KiB" in DOCUMENT["paths"]["/api/v1/tickets/"]["post"]["description"]
    stated = {one["name"]: one["schema"] for one in DOCUMENT["paths"]["/api/v1/decisions/"]["get"]["parameters"]}
    assert (stated["page_size"]["minimum"], stated["page_size"]["maximum"]) == (1, 500)
    assert (stated["score_min"]["minimum"], stated["score_max"]["maximum"]) == (0, 1)
    assert stated["actor"]["maxLength"] == stated["model"]["maxLength"] == 200


def test_what_a_ticket_must_have_is_stated() -> None:
    assert set(SHAPES["TicketInRequest"]["required"]) == {"subject", "body", "requester"}
    assert SHAPES["RequesterInRequest"]["required"] == ["email"]


def test_the_documentation_page_opens_without_a_key(site: Installation) -> None:
    assert site.get("/api/v1/docs/").status == 200
