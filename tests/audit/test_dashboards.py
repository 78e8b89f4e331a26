"""The dashboards in deploy/: well formed, of fields that exist, and asking Elasticsearch what the page asks it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from tests.audit.telling_log import tomorrow
from tests.audit.test_analysis import HOUR, told
from tests.audit.test_search import Copy
from tests.installation import ROOT
from tickets.audit.analysis_elasticsearch import aggregations
from tickets.audit.analysis_figures import Window
from tickets.audit.elasticsearch import MAPPING, install
from tickets.audit.ship import ALIAS
from tickets.models.clock import microseconds

pytestmark = pytest.mark.django_db
FIELDS = set(MAPPING["properties"])
GRAFANA = json.loads((ROOT / "deploy/grafana/decisions.json").read_text())
KIBANA = [json.loads(line) for line in (ROOT / "deploy/kibana/decisions.ndjson").read_text().splitlines()]
SAVED = aggregations("hour", {"%timefilter%": "min"})
_LUCENE_FIELD = re.compile(r"(\w+):")
Bucket = dict[str, Any]


@pytest.fixture
def copy(real_servers: None) -> Iterator[Copy]:
    with Elasticsearch(os.environ["ELASTICSEARCH_ADMIN_URL"]) as admin:
        install(admin, os.environ["ELASTICSEARCH_URL"], os.environ["ELASTICSEARCH_READER_URL"])
        made = Copy(admin)
        yield made
        admin.indices.delete(index=made.index)


def named(part: Any) -> set[str]:
    """Every field that a search in the words of Elasticsearch names."""
    if isinstance(part, list):
        return set().union(*map(named, part))
    if not isinstance(part, dict):
        return set()
    found = {part["field"]} if isinstance(part.get("field"), str) else set()
    for name, value in part.items():
        if name in ("term", "terms", "range") and isinstance(value, dict) and "field" not in value:
            found |= set(value)
        found |= named(value)
    return found


def searched(copy: Copy, window: Window, query: list[Bucket], asked: Bucket) -> Bucket:
    milliseconds = {bound: microseconds(at) // 1_000 for bound, at in (("gte", window.since), ("lt", window.until))}
    within = {"range": {"at": milliseconds | {"format": "epoch_millis"}}}
    with Elasticsearch(os.environ["ELASTICSEARCH_READER_URL"]) as reader:
        answer = reader.search(
            index=copy.index, query={"bool": {"filter": [within, *query]}}, aggregations=asked, size=0
        )
    return answer["aggregations"]


def shipped(copy: Copy) -> Window:
    window = told(tomorrow())
    copy.follow()
    return window


def by_key(buckets: list[Bucket], value: str = "doc_count") -> dict[str | int, int]:
    """value: the id of a metric, or how many documents there are."""
    return {one["key"]: one[value] if value == "doc_count" else one[value]["value"] for one in buckets}


class TestKibana:
    def visualizations(self) -> dict[str, Any]:
        """Vega specs by the id of their saved object."""
        states = {
            one["id"]: json.loads(one["attributes"]["visState"]) for one in KIBANA if one["type"] == "visualization"
        }
        assert {state["type"] for state in states.values()} == {"vega"}
        return {name: json.loads(state["params"]["spec"]) for name, state in states.items()}

    def sources(self, spec: Any) -> Iterator[Bucket]:
        """Each place in a spec where data come from Elasticsearch, those that are looked up too."""
        if isinstance(spec, dict):
            if isinstance(spec.get("url"), dict):
                yield spec
            for value in spec.values():
                yield from self.sources(value)
        if isinstance(spec, list):
            for value in spec:
                yield from self.sources(value)

    def test_every_object_that_is_referred_to_is_in_the_file(self) -> None:
        present = {(one["type"], one["id"]) for one in KIBANA}
        referred = {(ref["type"], ref["id"]) for one in KIBANA for ref in one["references"]}
        assert len(present) == len(KIBANA)
        assert referred == {pair for pair in present if pair[0] == "visualization"}

    def test_the_dashboard_has_a_panel_for_each_visualization(self) -> None:
        (dashboard,) = (one for one in KIBANA if one["type"] == "dashboard")
        panels = {
            panel["panelIndex"]: panel["panelRefName"] for panel in json.loads(dashboard["attributes"]["panelsJSON"])
        }
        assert [f"{n}:{name}" for n, name in panels.items()] == [ref["name"] for ref in dashboard["references"]]

    def test_the_data_view_is_that_of_the_copy(self) -> None:
        (view,) = (one["attributes"] for one in KIBANA if one["type"] == "index-pattern")
        assert (view["title"], view["timeFieldName"]) == (ALIAS, "at")
        assert {source["url"]["index"] for source in self.sources(self.visualizations())} == {ALIAS}

    def test_it_asks_for_the_saved_aggregations_and_nothing_else(self) -> None:
        asked: Bucket = {}
        for spec in self.visualizations().values():
            for source in self.sources(spec):
                asked |= source["url"]["body"]["aggs"]
        assert asked == SAVED

    def test_every_field_it_asks_for_is_in_the_mapping(self) -> None:
        fields = named([source["url"] for source in self.sources(self.visualizations())])
        assert fields
        assert fields <= FIELDS

    @pytest.mark.real
    def test_what_it_draws_is_there_with_the_numbers_of_the_log(self, copy: Copy) -> None:
        window = shipped(copy)
        found = {}
        for spec in self.visualizations().values():
            for source in self.sources(spec):
                since = json.dumps(microseconds(window.since) // 1_000)
                body = json.dumps(source["url"]["body"]["aggs"]).replace('{"%timefilter%": "min"}', since)
                assert "%" not in body
                value: Any = {"aggregations": searched(copy, window, [], json.loads(body))}
                for part in source["format"]["property"].split("."):
                    value = value[part]
                found[source["format"]["property"].split(".")[1]] = value
        hours = found["urgent_share"]
        assert [(h["doc_count"], h["urgent"]["doc_count"], h["fallback"]["doc_count"]) for h in hours] == [
            (2, 1, 0),
            (2, 1, 1),
            (1, 1, 1),
        ]
        overridden = {one["key"]: one["to_standard"]["judged"]["value"] for one in found["overrides"]}
        assert overridden == {"compact-1": 1, "keyword-1": 1}
        assert by_key(found["latency"]) == {"compact-1": 3, "keyword-1": 2}
        assert found["latency"][0]["total"]["values"] == {"50.0": 200, "95.0": 290, "99.0": 298}
        assert by_key(found["fallback_reasons"]) == {"deadline": 1, "failures": 1}
        assert by_key(found["volume"]) == {"scored": 3, "override": 3, "fallback": 2, "confirmed": 1, "undone": 1}


class TestGrafana:
    def targets(self, title: str = "") -> Iterator[Bucket]:
        for panel in GRAFANA["panels"]:
            if title in ("", panel["title"]):
                yield from (target for target in panel["targets"] if "bucketAggs" in target)

    def test_its_source_is_chosen_by_who_imports_it(self) -> None:
        (variable,) = GRAFANA["templating"]["list"]
        assert (variable["name"], variable["type"], variable["query"]) == ("source", "datasource", "elasticsearch")
        assert {target["datasource"]["uid"] for target in self.targets()} == {"${source}"}

    def test_panels_have_numbers_of_their_own_and_do_not_overlap(self) -> None:
        panels = GRAFANA["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        taken = [
            (x, y)
            for place in (panel["gridPos"] for panel in panels)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ]
        assert len(taken) == len(set(taken))
        assert max(x for x, _ in taken) < 24

    def test_an_expression_names_targets_of_its_panel(self) -> None:
        (panel,) = (one for one in GRAFANA["panels"] if one["title"] == "Urgent share by hour")
        (expression,) = (target["expression"] for target in panel["targets"] if "expression" in target)
        assert set(re.findall(r"\$(\w)", expression)) <= {target["refId"] for target in panel["targets"]}

    def test_every_field_it_asks_for_is_in_the_mapping(self) -> None:
        fields: set[str] = set()
        for target in self.targets():
            fields |= named([target["bucketAggs"], target["metrics"]]) | {target["timeField"]}
            fields |= set(_LUCENE_FIELD.findall(target["query"]))
        assert "judged_verdict" in fields
        assert fields <= FIELDS

    def asked(self, target: Bucket) -> Bucket:
        """What Grafana makes of the buckets and metrics of a target: each bucket within the one before it."""
        inner = {metric["id"]: _metric(metric) for metric in target["metrics"] if metric["type"] != "count"}
        for bucket in reversed(target["bucketAggs"]):
            inner = {bucket["id"]: _bucket(bucket) | ({"aggs": inner} if inner else {})}
        return inner

    def found(self, copy: Copy, window: Window, target: Bucket) -> list[Bucket]:
        query = target["query"].replace("${__from}", str(microseconds(window.since) // 1_000))
        assert "$" not in query
        answer = searched(copy, window, [{"query_string": {"query": query}}], self.asked(target))
        return answer[target["bucketAggs"][0]["id"]]["buckets"]

    @pytest.mark.real
    def test_every_target_can_be_answered(self, copy: Copy) -> None:
        window = shipped(copy)
        answered = [target for target in self.targets() if self.found(copy, window, target)]
        # Nobody moved anything to urgent in this log, nor took that back.
        assert [target["refId"] for target in self.targets() if target not in answered] == ["B", "D"]

    @pytest.mark.real
    def test_its_numbers_are_those_of_the_log(self, copy: Copy) -> None:
        window = shipped(copy)

        def counts(title: str, ref: str, value: str = "doc_count") -> dict[str | int, int]:
            (target,) = (one for one in self.targets(title) if one["refId"] == ref)
            return by_key(self.found(copy, window, target), value)

        starts = [microseconds(window.since + hour * HOUR) // 1_000 for hour in range(3)]
        assert counts("Urgent share by hour", "A") == dict(zip(starts, (1, 1, 1), strict=True))
        assert counts("Urgent share by hour", "B") == dict(zip(starts, (2, 2, 1), strict=True))
        assert counts("Automatic decisions by model", "A") == {"compact-1": 3, "keyword-1": 2}
        assert counts("Overrides by model", "A", "1") == {"compact-1": 1, "keyword-1": 1}
        assert counts("Overrides by model", "B", "1") == {}
        assert counts("Overrides by model", "C", "1") == {"compact-1": 1}
        assert counts("Why the keyword rules decided", "A") == {"deadline": 1, "failures": 1}
        assert counts("Volume by kind", "A") == {"scored": 3, "override": 3, "fallback": 2, "confirmed": 1, "undone": 1}

    @pytest.mark.real
    def test_its_percentiles_are_those_of_the_log(self, copy: Copy) -> None:
        window = shipped(copy)
        (target,) = self.targets("Automatic decisions by model")
        compact, keyword = self.found(copy, window, target)
        assert compact["4"]["values"] == {"50.0": 200, "95.0": 290, "99.0": 298}
        assert compact["5"]["values"]["50.0"] == 20
        assert keyword["4"]["values"]["50.0"] == 75_000


def _bucket(bucket: Bucket) -> Bucket:
    settings = bucket["settings"]
    if bucket["type"] == "date_histogram":
        own = {"fixed_interval": settings["interval"], "min_doc_count": int(settings["min_doc_count"])}
    else:
        own = {"size": int(settings["size"]), "order": {settings["orderBy"]: settings["order"]}}
    return {bucket["type"]: own | {"field": bucket["field"]}}


def _metric(metric: Bucket) -> Bucket:
    settings = {
        name: [float(one) for one in value] if isinstance(value, list) else int(value)
        for name, value in metric["settings"].items()
    }
    return {metric["type"]: settings | {"field": metric["field"]}}
