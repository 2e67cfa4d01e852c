"""GET /openapi.json describes what the gateway does: all of it, nothing else, and as it is answered."""

import json
import re

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

import documents
from batch_gateway.gateway.http import openapi, requests
from functional.gateway import test_reconcile as comparing
from functional.gateway.conftest import (
    JOBS,
    PARENT,
    PROJECT,
    World,
    job_body,
    job_id,
    job_resource,
    json_answer,
    path_of,
    reason,
)
from functional.gateway.loopback import Answer
from vertex_emulator.storage import split_uri

DOCUMENT = json.loads(bytes(openapi.document()))
METHODS = {"get", "post", "put", "patch", "delete", "head", "options", "trace"}
OPERATIONS = {
    operation["operationId"]: operation
    for item in DOCUMENT["paths"].values()
    for method, operation in item.items()
    if method in METHODS
}
JSON = "application/json"
_OF_HTTP = {"Content-Length", "Content-Type", "Vary"}
"""Headers that any answer may have, which no description names."""


def resolved(value):
    """A part of the document, or what it refers to."""
    while "$ref" in value:
        found = DOCUMENT
        for name in value["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        value = found
    return value


def component(name):
    """Return a reference to a schema by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def problems(schema, value):
    """Return how a value breaks a schema of the document."""
    validator = OAS31Validator(
        {**schema, "components": DOCUMENT["components"]}, format_checker=OAS31Validator.FORMAT_CHECKER
    )
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def check_answer(operation_id, answer):
    """Holds an answer against what the document says of it, and returns it."""
    described = resolved(OPERATIONS[operation_id]["responses"][str(answer.status_code)])
    if JSON not in described["content"]:
        assert answer.mimetype in described["content"]
        return answer
    assert answer.mimetype == JSON
    assert problems(described["content"][JSON]["schema"], answer.json) == []
    headers = described.get("headers", {})
    sent = {name for name in answer.headers.keys() if name not in _OF_HTTP}  # noqa: SIM118 - iterating gives pairs
    assert sent <= headers.keys()
    for name in sent:
        assert problems(resolved(headers[name])["schema"], answer.headers[name]) == []
    return answer


def test_the_document_is_valid_openapi():
    validate(DOCUMENT)


def test_it_describes_every_route_and_nothing_else(world):
    # Whatever else the gateway routes is one of these under another prefix or version.
    table = world.client.application.gateway.table
    routed = {(method, _described(path)) for method, path in table.paths() if method != "HEAD"}
    described = {
        (method.upper(), path)
        for path, item in DOCUMENT["paths"].items()
        for method in item
        if method in METHODS
    }
    assert described == routed


def _described(rule):
    path = re.sub(r"/<any\(.*\):prefix>", "", rule)
    path = re.sub(r"<any\(.*\):version>", "v1", path)
    return path.replace("<", "{").replace(">", "}")


def test_every_schema_parameter_and_response_is_used():
    text = json.dumps(DOCUMENT)
    unused = [
        f"{kind}/{name}"
        for kind, parts in DOCUMENT["components"].items()
        if kind != "securitySchemes"
        for name in parts
        if f'"#/components/{kind}/{name}"' not in text
    ]
    assert unused == []


def _examples(value):
    """Find the examples in a part of the document, each with the schema that it is one of."""
    if isinstance(value, list):
        for member in value:
            yield from _examples(member)
    elif isinstance(value, dict):
        if "example" in value:
            yield value["schema"], value["example"]
        if "examples" in value:
            listed = value["examples"]
            if isinstance(listed, list):
                yield from ((value, example) for example in listed)
            else:
                yield from ((value["schema"], example["value"]) for example in listed.values())
        for name, member in value.items():
            if name not in {"example", "examples"}:
                yield from _examples(member)


def test_every_example_fits_its_schema():
    examples = list(_examples(DOCUMENT))
    assert len(examples) > 60
    assert [problem for schema, example in examples for problem in problems(schema, example)] == []


SHOWN = {
    "cost": "Cost",
    "error": "GatewayError",
    "first-cost": "Cost",
    "input": "Input",
    "jobs-stats": "JobStats",
    "row": "RowResult",
}
EXCERPTS = {"first-cost"}


def test_what_the_pages_show_is_as_described():
    shown = {name: json.loads(content) for name, (_, content) in documents.blocks("shown").items()}
    # It is no answer of a call; tests/unit/test_documents.py compares it with one that is sent.
    del shown["event"]
    assert shown.keys() == SHOWN.keys()
    for name, value in shown.items():
        left_out = {"required": []} if name in EXCERPTS else {}
        assert problems(resolved(component(SHOWN[name])) | left_out, value) == [], name


def test_every_error_is_described_as_one():
    for operation_id, operation in OPERATIONS.items():
        for status, response in operation["responses"].items():
            if status != "200":
                schema = resolved(response)["content"][JSON]["schema"]
                assert schema == {"$ref": "#/components/schemas/Error"}, operation_id


def test_every_operation_that_takes_a_key_says_what_happens_without_a_good_one():
    for operation in OPERATIONS.values():
        statuses = operation["responses"].keys()
        if operation.get("security") == []:
            assert not {"401", "403", "429"} & statuses
        else:
            assert {"401", "403", "429", "500", "503"} <= statuses


def test_it_is_served_without_a_key(world):
    answer = check_answer("getDescription", world.get("/openapi.json", key=None))

    assert answer.json == DOCUMENT


def administer(world, path, body):
    return world.call("POST", path, json=body)


def a_team(world):
    answer = administer(
        world, "/team/new", {"team_id": "search", "budget_duration": "1mo", "max_budget": "0.5"}
    )
    assert answer.status_code == 200, answer.data
    return answer.json["team_id"]


def a_key(world, **given):
    body = {"key_alias": "nightly", "metadata": {"a": 1}, "duration": "30d", "max_budget": 12.5, **given}
    answer = administer(world, "/key/generate", body)
    assert answer.status_code == 200, answer.data
    return answer.json["key"]


DISCOUNT = {"discounts": [{"from": "2026-12-01", "discount": "0.07", "source": "our agreement"}]}


def a_discount(world):
    return world.call("PUT", "/v1/prices/publishers/google", json=DISCOUNT)


def a_settled_job(world):
    job = world.created(job_body(labels={"environment": "production"}))
    done = world.vertex.finish(job["name"])
    world.settle(f"{done['outputInfo']['gcsOutputDirectory']}/predictions.jsonl")
    return job


def a_deletion(world):
    return world.call("DELETE", path_of(a_settled_job(world))).json["name"].rpartition("/")[2]


def in_only_place(path):
    return path.replace(f"/{PARENT}", "")


JOB_CALLS = {
    "listJobs": lambda world, at: (world.created(), world.get(at(JOBS)))[1],
    "createJob": lambda world, at: world.create(path=at(JOBS)),
    "getJob": lambda world, at: world.get(at(path_of(a_settled_job(world)))),
    "deleteJob": lambda world, at: world.call("DELETE", at(path_of(a_settled_job(world)))),
    "cancelJob": lambda world, at: world.call("POST", at(f"{path_of(world.created())}:cancel")),
    "resumeJob": lambda world, at: world.call("POST", at(f"{path_of(a_settled_job(world))}:resume")),
    "estimateCost": lambda world, at: world.create(path=at(f"{JOBS}:estimateCost")),
    "getCost": lambda world, at: world.get(at(f"{path_of(a_settled_job(world))}/cost")),
    "getResults": lambda world, at: world.get(at(f"{path_of(a_settled_job(world))}/results")),
}
CALLS = {
    **{name: lambda world, call=call: call(world, str) for name, call in JOB_CALLS.items()},
    **{
        f"{name}InOnlyPlace": lambda world, call=call: call(world, in_only_place)
        for name, call in JOB_CALLS.items()
    },
    "getOperation": lambda world: world.get(f"/v1/{PARENT}/operations/{a_deletion(world)}"),
    "getOperationUnderUi": lambda world: world.get(f"/ui/{PARENT}/operations/{a_deletion(world)}"),
    "generateKey": lambda world: administer(
        world, "/key/generate", {"team_id": a_team(world), "rpm_limit": 60, "locations": ["us-central1"]}
    ),
    "updateKey": lambda world: administer(world, "/key/update", {"key": a_key(world), "max_budget": None}),
    "regenerateKey": lambda world: administer(
        world, "/key/regenerate", {"key": a_key(world), "grace_period": "1h"}
    ),
    "deleteKeys": lambda world: administer(world, "/key/delete", {"keys": [a_key(world)]}),
    "getKey": lambda world: world.get("/key/info", key=a_key(world)),
    "listKeys": lambda world: (a_key(world), world.get("/key/list"))[1],
    "newTeam": lambda world: administer(world, "/team/new", {}),
    "updateTeam": lambda world: administer(
        world, "/team/update", {"team_id": a_team(world), "models": ["gemini-*"]}
    ),
    "deleteTeams": lambda world: administer(world, "/team/delete", {"team_ids": [a_team(world)]}),
    "getTeam": lambda world: (
        a_key(world, team_id=a_team(world)),
        world.get("/team/info?team_id=search"),
    )[1],
    "listTeams": lambda world: (a_team(world), world.get("/team/list"))[1],
    "listAudit": lambda world: (a_key(world), world.created(), world.get("/audit"))[2],
    "listCosts": lambda world: (a_settled_job(world), world.get("/v1/costs?start_time=0&group_by=model"))[1],
    "exportCosts": lambda world: (a_settled_job(world), world.get("/v1/costs:export?start_time=0"))[1],
    "createInput": lambda world: administer(world, "/v1/inputs", {"name": "nightly/rows.jsonl"}),
    "listCostValues": lambda world: (a_settled_job(world), world.get("/v1/costs:values?start_time=0"))[1],
    "listJobCosts": lambda world: (a_settled_job(world), world.get("/v1/jobs"))[1],
    "listTopJobs": lambda world: (a_settled_job(world), world.get("/v1/jobs:top"))[1],
    "getJobStats": lambda world: (
        world.get(f"{path_of(a_settled_job(world))}/cost"),
        world.get("/v1/jobs:stats"),
    )[1],
    "reconcile": lambda world: administer(world, "/internal/reconcile", {}),
    "reconcileCosts": lambda world: (
        comparing.configure(world),
        comparing.book(world, 10**9),
        comparing.bill(world, "2"),
        comparing.bill(world, "2", currency="JPY", rate=None),
        comparing.bill(world, "2", description="Gemini 3.8 Flash Text Output - Predictions"),
        world.get(comparing.PATH),
    )[-1],
    "repriceCosts": lambda world: (
        a_settled_job(world),
        administer(
            world,
            "/v1/costs:reprice",
            {"start_time": "2020-01-01T00:00:00Z", "end_time": "2100-01-01T00:00:00Z"},
        ),
    )[1],
    "listPrices": lambda world: (a_discount(world), world.get("/v1/prices"))[1],
    "setPrice": lambda world: world.call("PUT", "/v1/prices/gemini-3.5-flash?location=global", json=DISCOUNT),
    "deletePrice": lambda world: (
        world.call("PUT", "/v1/prices/gemini-3.5-flash", json=DISCOUNT),
        world.call("DELETE", "/v1/prices/gemini-3.5-flash"),
    )[1],
    "setDiscount": a_discount,
    "deleteDiscount": lambda world: (
        a_discount(world),
        world.call("DELETE", "/v1/prices/publishers/google"),
    )[1],
    "getDashboard": lambda world: world.get("/dashboard", key=None),
    "getDashboardFile": lambda world: world.get("/dashboard/any/main.js", key=None),
    "getHealth": lambda world: world.get("/health", key=None),
    "getReadiness": lambda world: world.get("/health/readiness", key=None),
    "getDescription": lambda world: world.get("/openapi.json", key=None),
}


@pytest.fixture
def only_place(world, vertex):
    """A gateway that serves one place only."""
    made = World(
        world.host,
        world.store,
        world.objects,
        served={(PROJECT, "us-central1"): None},
        input_prefix="gs://in",
    )
    made.vertex = vertex
    return made


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_a_good_answer_is_as_described(only_place, operation_id):
    assert check_answer(operation_id, CALLS[operation_id](only_place)).status_code == 200


def test_the_checked_cost_and_lists_are_not_empty(only_place):
    assert CALLS["getCost"](only_place).json["lineItems"]
    assert CALLS["listJobs"](only_place).json["batchPredictionJobs"]
    assert CALLS["listAudit"](only_place).json["entries"]
    assert CALLS["getJobStats"](only_place).json["data"]
    assert CALLS["listTeams"](World(only_place.host)).json


def test_each_row_is_as_described(only_place):
    answer = only_place.get(f"{path_of(a_settled_job(only_place))}/results?view=usage")
    schema = OPERATIONS["getResults"]["responses"]["200"]["content"]["application/jsonl"]["schema"]
    rows = [json.loads(line) for line in answer.data.splitlines()]
    assert rows
    assert [problem for row in rows for problem in problems(schema, row)] == []
    assert {name for row in rows for name in row} == resolved(schema)["properties"].keys()


def test_a_replayed_create_is_as_described(world):
    headers = {"Idempotency-Key": "nightly-1"}
    world.create(headers=headers)

    answer = check_answer("createJob", world.create(headers=headers))

    assert (answer.status_code, answer.headers["Idempotency-Replayed"]) == (200, "true")


def test_the_cost_of_a_running_job_is_as_described(world, vertex):
    job = world.created()
    vertex.step()
    vertex.step(rows=2)

    found = check_answer("getCost", world.get(f"{path_of(job)}/cost")).json

    assert found["progress"] == {"completed": 2, "total": 4}
    assert found["estimate"]
    (listed,) = check_answer("listJobCosts", world.get("/v1/jobs")).json["data"]
    assert listed["projected"] == found["projected"] == found["estimate"]["expected"]


def test_the_cost_of_an_unheard_of_model_is_as_described(scripted, loopback):
    directory = "gs://out/run/prediction-model-2026-11-22T10:00:00.123456Z"
    resource = job_resource(
        model=f"{PARENT}/publishers/google/models/gemini-99", outputInfo={"gcsOutputDirectory": directory}
    )
    loopback.answers = [json_answer(resource)]
    job = scripted.created()
    line = {"status": "", "response": {"modelVersion": "gemini-99", "usageMetadata": {"promptTokenCount": 1}}}
    scripted.objects.put(*split_uri(f"{directory}/predictions.jsonl"), json.dumps(line).encode())
    scripted.settle(f"{directory}/predictions.jsonl")

    found = check_answer("getCost", scripted.get(f"{path_of(job)}/cost")).json

    assert (found["complete"], found["lineItems"][0]["unitPrice"]) == (False, None)


def _fills_up(world):
    key = a_key(world, rpm_limit=1)
    world.get(JOBS, key=key)
    return world.get(JOBS, key=key)


ERRORS = {
    ("createJob", "BODY_INVALID", 400): lambda world: world.create(b"[]"),
    ("createJob", "BODY_TOO_LARGE", 413): lambda world: world.create(b" " * (requests.MAX_BODY_BYTES + 1)),
    ("listJobs", "FORMAT_NOT_SUPPORTED", 400): lambda world: world.get(f"{JOBS}?alt=proto"),
    ("listJobsInOnlyPlace", "PLACE_MISSING", 400): lambda world: world.get("/v1/batchPredictionJobs"),
    ("listJobs", "API_KEY_MISSING", 401): lambda world: world.get(JOBS, key=None),
    ("listJobs", "API_KEY_INVALID", 403): lambda world: world.get(JOBS, key="sk-wrong"),
    ("listJobs", "RATE_LIMIT_EXCEEDED", 429): _fills_up,
    ("getJob", "JOB_NOT_ALLOWED", 403): lambda world: world.get(path_of(world.created()), key=a_key(world)),
    ("getCost", "JOB_NOT_ON_RECORD", 404): lambda world: world.get(f"{JOBS}/1/cost"),
    ("generateKey", "ADMIN_ONLY", 403): lambda world: world.call(
        "POST", "/key/generate", json={}, key=a_key(world)
    ),
    ("generateKey", "FIELD_INVALID", 400): lambda world: administer(world, "/key/generate", {"tpm_limit": 1}),
    ("generateKey", "KEY_ALIAS_TAKEN", 409): lambda world: (
        a_key(world),
        administer(world, "/key/generate", {"key_alias": "nightly"}),
    )[1],
    ("updateKey", "KEY_UNKNOWN", 404): lambda world: administer(world, "/key/update", {"key": "sk-wrong"}),
    ("newTeam", "TEAM_EXISTS", 409): lambda world: administer(world, "/team/new", {"team_id": a_team(world)}),
    ("deleteTeams", "TEAM_HAS_KEYS", 400): lambda world: (
        a_key(world, team_id=a_team(world)),
        administer(world, "/team/delete", {"team_ids": ["search"]}),
    )[1],
    ("deletePrice", "OVERRIDE_UNKNOWN", 404): lambda world: world.call(
        "DELETE", "/v1/prices/gemini-3.5-flash"
    ),
    ("setPrice", "FIELD_INVALID", 400): lambda world: world.call(
        "PUT", "/v1/prices/gemini-3.5-flash", json={}
    ),
    ("getTeam", "TEAM_UNKNOWN", 404): lambda world: world.get("/team/info"),
}


@pytest.mark.parametrize("case", ERRORS, ids=lambda case: f"{case[0]}-{case[1]}")
def test_an_error_is_as_described(world, case):
    operation_id, wanted, status = case

    answer = check_answer(operation_id, ERRORS[case](world))

    assert (answer.status_code, reason(answer)) == (status, wanted)
    assert problems(component("GatewayError"), answer.json) == []


@pytest.mark.parametrize("operation_id", ["createJob", "getCost", "getReadiness"])
def test_an_outage_of_the_books_is_as_described(world, vertex, operation_id):
    world.vertex = vertex
    job = world.created()
    world.store.down = True
    calls = {**CALLS, "getCost": lambda world: world.get(f"{path_of(job)}/cost")}

    answer = check_answer(operation_id, calls[operation_id](world))

    assert (answer.status_code, reason(answer)) == (503, "BOOKS_UNAVAILABLE")


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 499, 500, 501, 502, 503, 504])
@pytest.mark.parametrize("body", [None, b"<html>"])
def test_an_error_of_vertex_ai_is_as_described(scripted, loopback, status, body):
    answer = json_answer({"error": {"code": status, "message": "No.", "status": "UNKNOWN"}}, status)
    loopback.answers = [answer if body is None else Answer(status, body, "text/html")]

    for method, path, operation_id in (
        ("GET", JOBS, "listJobs"),
        ("POST", JOBS, "createJob"),
        ("GET", f"{JOBS}/1", "getJob"),
        ("POST", f"{JOBS}/1:cancel", "cancelJob"),
    ):
        given = {"data": json.dumps(job_body())} if operation_id == "createJob" else {}
        relayed = check_answer(operation_id, scripted.call(method, path, **given))
        assert relayed.status_code == status


def test_a_job_has_the_id_that_the_document_describes(world):
    schema = DOCUMENT["components"]["parameters"]["job"]["schema"]
    assert problems(schema, job_id(world.created())) == []
