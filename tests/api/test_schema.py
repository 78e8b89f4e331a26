"""The schema tells the truth: schemathesis calls every operation with whatever fits and does not fit it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.installation import Installation, embedded
from tickets.models import Scope

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
schema = schemathesis.openapi.from_dict(json.loads(json.dumps(SchemaGenerator().get_schema(public=True))))
SEED = """
from tests.factories import fallen_back, scored
fallen_back(2)
scored()
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with embedded(tmp_path_factory.mktemp("site"), SCORER="scoring.keyword.Keyword") as site:
        site.shell(SEED)
        site.start("web")
        yield site


@pytest.fixture(scope="module")
def key(site: Installation) -> str:
    return site.manage("api_key", "everything", *[word for scope in Scope.values for word in ("--scope", scope)])


@schema.parametrize()
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_operation_answers_as_its_schema_says(case: Any, site: Installation, key: str) -> None:
    case.call_and_validate(base_url=site.url, headers={"Authorization": f"Bearer {key}"}, checks=CHECKS)


def test_limits_on_sizes_are_stated(site: Installation) -> None:
    shapes = site.get("/api/v1/schema/?format=json").json()["components"]["schemas"]
    fields = shapes["TicketInRequest"]["properties"]
    assert (fields["subject"]["maxLength"], fields["body"]["maxLength"]) == (300, 65_536)
    assert set(shapes["TicketInRequest"]["required"]) == {"subject", "body", "requester"}


def test_the_documentation_page_opens_without_a_key(site: Installation) -> None:
    assert site.get("/api/v1/docs/").status == 200
