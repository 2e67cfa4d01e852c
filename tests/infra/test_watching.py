"""Metrics, alerts and the dashboard go by lines that the application writes."""

import ast
import json
import re

import pytest

from infra.terraform import ROOT

PACKAGE = ROOT / "functions/batch_gateway"
NAME = "batch-gateway"
# Part of the contract of the log lines; the code that writes them may come later than their metrics.
EVENT = re.compile(r"(batch|budget|job|output|settlement|sweep|upstream)\.[a-z_]+")


def events_in_code():
    """Every text in the code that has the form of an event's name."""
    return {
        node.value
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and EVENT.fullmatch(node.value)
    }


def fields_in_code():
    """Every name under which a line may have a value: keywords, and texts (``gen_ai.request.model``)."""
    nodes = [node for path in PACKAGE.rglob("*.py") for node in ast.walk(ast.parse(path.read_text()))]
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return texts | {node.arg for node in nodes if isinstance(node, ast.keyword) and node.arg}


@pytest.fixture
def there(applied):
    return applied("infra/examples/production").resources


def values(resources, kind):
    return {
        each["address"].rpartition(f"{kind}.")[2]: each["values"]
        for each in resources
        if each["type"] == kind
    }


def filters(resources):
    yield from (each["filter"] for each in values(resources, "google_logging_metric").values())
    for policy in values(resources, "google_monitoring_alert_policy").values():
        yield from (
            match["filter"] for each in policy["conditions"] for match in each["condition_matched_log"]
        )


def test_every_event_that_is_counted_or_told_of_is_written(there):
    used = {event for text in filters(there) for event in re.findall(r'"([a-z]+\.[a-z_]+)"', text)}
    assert {"output.settled", "batch.failed", "job.stuck", "sweep.done"} <= used
    assert used - events_in_code() == {event for event in used if event.startswith("gen_ai.")}


def test_every_field_that_is_taken_from_a_line_is_written(there):
    metrics = values(there, "google_logging_metric").values()
    taken = [
        text
        for each in metrics
        for text in [each["value_extractor"], *(each["label_extractors"] or {}).values()]
    ]
    policies = values(there, "google_monitoring_alert_policy").values()
    for policy in policies:
        for condition in policy["conditions"]:
            taken += [
                text
                for match in condition["condition_matched_log"]
                for text in match["label_extractors"].values()
            ]
    names = {re.fullmatch(r'EXTRACT\(jsonPayload\."?([\w.]+?)"?\)', text)[1] for text in taken if text}
    assert {"cost_usd", "lag_seconds", "unpriced_rows", "gen_ai.request.model", "team", "job"} <= names
    assert names - {"status"} <= fields_in_code()


def test_lines_of_this_installation_only(there):
    for text in filters(there):
        pattern = re.search(r'service_name=~"(.+)"', text)[1]
        assert re.search(pattern, f"{NAME}-gateway")
        assert re.search(pattern, f"{NAME}-settle-output")
        assert not re.search(pattern, "another-batch-gateway-gateway")


def test_every_metric_that_is_asked_for_exists(there):
    names = {each["name"] for each in values(there, "google_logging_metric").values()}
    asked = json.dumps([each for each in there if each["type"].startswith("google_monitoring_")])
    used = set(re.findall(r"logging_googleapis_com:user_batch_gateway_(\w+)\{", asked.replace('\\\\"', '"')))
    known = {name.removeprefix(f"{NAME}/") for name in names}
    for metric in used:
        assert metric in known or metric.removesuffix("_sum").removesuffix("_bucket") in known
    assert known == {re.sub(r"_(sum|bucket)$", "", metric) for metric in used}, (
        "a metric that nobody looks at"
    )


def test_sums_are_of_distributions_and_counts_of_counters(there):
    for each in values(there, "google_logging_metric").values():
        [descriptor] = each["metric_descriptor"]
        assert (descriptor["value_type"] == "DISTRIBUTION") == bool(each["value_extractor"])
        assert bool(each["bucket_options"]) == bool(each["value_extractor"])
        assert {label["key"] for label in descriptor["labels"]} == (each["label_extractors"] or {}).keys()


def test_all_that_was_asked_for_is_told(there):
    told = {address.split('"')[1] for address in values(there, "google_monitoring_alert_policy")}
    assert told >= {
        "daily_spend",
        "gateway_errors",
        "gateway_latency",
        "job_failed",
        "job_finished",
        "job_stuck",
        "settlement_failing",
        "settlement_lag",
        "unpriced_rows",
    }
    for policy in values(there, "google_monitoring_alert_policy").values():
        assert len(policy["notification_channels"]) == 2
        assert len(policy["documentation"][0]["content"]) > 80


def test_messages_name_what_their_condition_extracts(there):
    for policy in values(there, "google_monitoring_alert_policy").values():
        [condition] = policy["conditions"]
        extracted = {key for match in condition["condition_matched_log"] for key in match["label_extractors"]}
        named = set(re.findall(r"\$\{log\.extracted_label\.(\w+)\}", policy["documentation"][0]["content"]))
        assert named <= extracted
        assert named or not extracted
        # Cloud Monitoring wants a limit on messages where every line may be one.
        assert bool(condition["condition_matched_log"]) == bool(policy["alert_strategy"])


def test_alerts_on_metrics_can_be_made_before_there_is_any_data(there):
    for policy in values(there, "google_monitoring_alert_policy").values():
        for query in policy["conditions"][0]["condition_prometheus_query_language"]:
            assert query["disable_metric_validation"]
            assert query["query"].count("(") == query["query"].count(")")


def test_the_tiles_of_the_dashboard_do_not_overlap(there):
    [dashboard] = values(there, "google_monitoring_dashboard").values()
    tiles = json.loads(dashboard["dashboard_json"])["mosaicLayout"]["tiles"]
    cells = [
        (x, y)
        for tile in tiles
        for x in range(tile.get("xPos", 0), tile.get("xPos", 0) + tile["width"])
        for y in range(tile.get("yPos", 0), tile.get("yPos", 0) + tile["height"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 47
