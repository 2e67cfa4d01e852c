"""Metrics, alerts and the dashboard go by lines that the application writes."""

import ast
import json
import re
from typing import get_args

import pytest

from batch_gateway.core.notify import event_names
from infra.log_lines import extract, matches, written
from infra.terraform import PRODUCTION, ROOT

PACKAGE = ROOT / "functions/batch_gateway"
NAME = "batch-gateway"
EVENTS = set(get_args(event_names.EventName))


@pytest.fixture
def there(applied):
    return applied(PRODUCTION).resources


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
    assert used - EVENTS == {event for event in used if event.startswith("gen_ai.")}


@pytest.fixture(scope="module")
def entries():
    return written()


REQUESTS = [
    {
        "logName": "run.googleapis.com/requests",
        "severity": "INFO",
        "resource": {"type": "cloud_run_revision", "labels": {"service_name": service}},
        "httpRequest": {"requestUrl": f"https://made-uc.a.run.app{path}", "latency": latency},
    }
    for service, path, latency in [
        (f"{NAME}-gateway", "/v1/projects/p/locations/global/batchPredictionJobs?pageSize=10", "0.250s"),
        (f"{NAME}-gateway", "/internal/reconcile", "44.0s"),
        (f"{NAME}-settle-output", "/", "12.0s"),
    ]
]
"""As Cloud Run logs requests ("HttpRequest" of Cloud Logging)."""


def watched(resources):
    """(name, filter, extractors) of everything that goes by the log."""
    for name, each in values(resources, "google_logging_metric").items():
        yield name, each["filter"], [each["value_extractor"], *(each["label_extractors"] or {}).values()]
    for name, policy in values(resources, "google_monitoring_alert_policy").items():
        for match in policy["conditions"][0]["condition_matched_log"]:
            yield name, match["filter"], [*match["label_extractors"].values()]


def test_what_is_taken_from_a_line_is_in_each_line_that_it_is_taken_from(there, entries):
    seen = 0
    for name, text, extractors in watched(there):
        found = [entry for entry in [*entries, *REQUESTS] if matches(text, entry)]
        assert found, f"{name}: no line passes {text}"
        for entry in found:
            for extractor in filter(None, extractors):
                extract(extractor, entry)
                seen += 1
    assert seen > 50


def test_sums_are_of_numbers(there, entries):
    for each in values(there, "google_logging_metric").values():
        if each["value_extractor"] and "httpRequest" not in each["value_extractor"]:
            for entry in (entry for entry in entries if matches(each["filter"], entry)):
                assert isinstance(extract(each["value_extractor"], entry), int | float)


def test_a_budget_s_message_says_whose_it_is(there, entries):
    [policy] = [
        each
        for name, each in values(there, "google_monitoring_alert_policy").items()
        if name == 'log["budget"]'
    ]
    [match] = policy["conditions"][0]["condition_matched_log"]
    owners = {
        extract(match["label_extractors"]["owner"], entry)
        for entry in entries
        if matches(match["filter"], entry)
    }
    assert owners == {"team:ads", "key:k1"}


def test_what_is_done_about_a_job_over_its_budget_is_told(there, entries):
    [match] = values(there, "google_monitoring_alert_policy")['log["job_over_budget"]']["conditions"][0][
        "condition_matched_log"
    ]
    assert {entry["jsonPayload"]["event"] for entry in entries if matches(match["filter"], entry)} == {
        "budget.cancel_failed",
        "budget.job_cancelled",
        "budget.job_running",
        "budget.overrun",
    }


def test_rows_that_are_not_in_the_amount_are_told(there, entries):
    policy = values(there, "google_monitoring_alert_policy")['log["unpriced_rows"]']
    [match] = policy["conditions"][0]["condition_matched_log"]
    told = [entry["jsonPayload"] for entry in entries if matches(match["filter"], entry)]
    assert {kind for line in told for kind in ("malformed", "unrecognized") if line["rows"][kind]} == {
        "malformed",
        "unrecognized",
    }
    assert any(line["unpriced_rows"] for line in told)
    settled = [
        entry["jsonPayload"] for entry in entries if entry["jsonPayload"].get("event") == "output.settled"
    ]
    assert len(told) < len(settled)


def test_sweeps_do_not_make_the_gateway_slow(there):
    metric = values(there, "google_logging_metric")['this["request_seconds"]']
    latencies = [entry["httpRequest"]["latency"] for entry in REQUESTS if matches(metric["filter"], entry)]
    assert latencies == ["0.250s"]


def test_a_missing_right_and_a_retired_model_are_told_and_a_missing_job_and_a_quota_only_counted(
    there, entries
):
    policies = values(there, "google_monitoring_alert_policy")
    [match] = policies['log["vertex_refuses"]']["conditions"][0]["condition_matched_log"]
    metric = values(there, "google_logging_metric")['this["upstream_refusals"]']

    def passing(text):
        lines = [entry["jsonPayload"] for entry in entries if matches(text, entry)]
        return {(line["call"], line["status"]) for line in lines}

    told = {("create", 401), ("create", 403), ("create", 404), ("get", 401), ("get", 403)}
    assert passing(match["filter"]) == told
    assert passing(metric["filter"]) == told | {("create", 429), ("get", 404), ("get", 429)}


def test_a_line_without_the_field_would_be_seen(entries):
    [line, *_] = [entry for entry in entries if matches('jsonPayload.event="budget.exceeded"', entry)]
    with pytest.raises(KeyError):
        extract("EXTRACT(jsonPayload.budget)", line)


def test_lines_of_this_installation_only(there):
    for text in filters(there):
        if "run.googleapis.com/requests" in text:
            assert f'service_name="{NAME}-gateway"' in text
            continue
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
        "budget",
        "daily_spend",
        "gateway_errors",
        "gateway_latency",
        "job_failed",
        "job_finished",
        "job_over_budget",
        "job_stuck",
        "price_missing",
        "settlement_failing",
        "settlement_lag",
        "unpriced_rows",
        "uri_not_allowed",
        "vertex_refuses",
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


def test_the_readme_counts_the_conditions_that_are_billed(applied):
    policies = values(applied("infra").resources, "google_monitoring_alert_policy").values()
    count = sum(len(policy["conditions"]) for policy in policies)
    assert f"{count} conditions" in (ROOT / "infra/README.md").read_text()


def test_the_local_stack_answers_as_many_at_a_time_as_the_deployed_gateway(applied):
    import stack  # noqa: PLC0415 - only here

    [gateway] = values(applied("infra").resources, "google_cloudfunctions2_function")["gateway"][
        "service_config"
    ]
    assert gateway["environment_variables"]["THREADS"] == str(stack.GATEWAY_CONCURRENCY)


SETTINGS = (ROOT / "functions/batch_gateway/settings.py").read_text()


def test_terraform_knows_each_setting_that_may_name_an_environment_variable():
    read = next(
        node
        for node in ast.walk(ast.parse(SETTINGS))
        if isinstance(node, ast.FunctionDef) and node.name == "_read_general"
    )
    readers = next(node for node in ast.walk(read) if isinstance(node, ast.Dict))
    keys = {key.value for key in readers.keys if isinstance(key, ast.Constant)}
    assert "pubsub_topic" in keys
    listed = re.search(r"own_settings = \[(.*)\]", (ROOT / "infra/config.tf").read_text())[1]
    # The master key comes from Secret Manager; what the scheduler's token has to be is put in by Terraform.
    assert keys - {"master_key", "reconcile_audience", "reconcile_service_account"} == set(
        re.findall(r'"(\w+)"', listed)
    )
