"""Run the deployed entry points as functions-framework does."""

import base64
import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import functions_framework
import pytest

import main
from batch_gateway import entrypoints, wiring
from batch_gateway.core.pricing import prices
from batch_gateway.ports import UpstreamUnavailableError
from batch_gateway.settlement.deps import NotYetError, SettlementDeps
from batch_gateway.settlement.settle import Outcome
from fakes import MemoryObjects, MemoryStore

SOURCE = Path(__file__).parents[2] / "functions" / "main.py"
ATTRIBUTES = {
    "id": "1234",
    "source": "//storage.googleapis.com/projects/_/buckets/out",
    "specversion": "1.0",
    "type": "google.cloud.storage.object.v1.finalized",
    "subject": "objects/run/predictions.jsonl",
    "time": "2026-11-22T10:00:00.123456Z",
}
DATA = {
    "bucket": "out",
    "name": "run/prediction-model-2026-11-22T10:00:00Z/predictions.jsonl",
    "generation": "1763827200123456",
    "size": "4711",
    "timeCreated": "2026-11-22T10:00:00.123456Z",
}


@pytest.fixture
def outside(monkeypatch):
    """Settlement's outside, in memory."""
    deps = SettlementDeps(
        store=MemoryStore(),
        objects=MemoryObjects(),
        upstream=None,
        prices=prices.load,
        tables=None,
        keys=None,
        notify=None,
        budget_action="nothing",
        clock=time.monotonic,
        now=lambda: datetime.now(UTC),
    )
    monkeypatch.setattr(wiring, "settlement", lambda: deps)
    return deps


@pytest.fixture
def settled(monkeypatch, outside):
    """Calls of the settle use case; `settled.error` makes it fail."""

    class Calls(list):
        error = None

    calls = Calls()

    def settle(*given, deadline):
        assert deadline > time.monotonic() + wiring.SETTINGS.settlement_seconds - 60
        calls.append(given)
        if calls.error:
            raise calls.error
        return Outcome.SETTLED

    monkeypatch.setattr(entrypoints, "settle_object", settle)
    assert outside
    return calls


@pytest.fixture
def client(monkeypatch):
    for name in ("FUNCTION_TARGET", "FUNCTION_SIGNATURE_TYPE"):
        monkeypatch.setenv(name, "")
    app = functions_framework.create_app("settle", str(SOURCE), "cloudevent")
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return app.test_client()


def binary(client, data, **attributes):
    headers = {f"ce-{name}": value for name, value in {**ATTRIBUTES, **attributes}.items()}
    return client.post("/", data=json.dumps(data), headers={**headers, "Content-Type": "application/json"})


def structured(client, data, **attributes):
    event = {**ATTRIBUTES, **attributes, "datacontenttype": "application/json", "data": data}
    return client.post("/", data=json.dumps(event), content_type="application/cloudevents+json")


MODES = pytest.mark.parametrize("post", [binary, structured])


def logged(capsys):
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    return [json.loads(line) for line in lines]


def test_main_exports_the_two_functions_under_their_own_names():
    assert main.__all__ == ["gateway", "settle"]
    assert (main.gateway.__name__, main.settle.__name__) == ("gateway", "settle")
    public = {name for name in vars(main) if not name.startswith("_")}
    assert public == {"gateway", "settle"}


def test_importing_brings_no_client_library_along():
    """gRPC does not survive the fork that comes after the import, and SDKs are slow to load."""
    code = "import main, sys; print(*sorted(sys.modules))"

    ran = subprocess.run([sys.executable, "-c", code], cwd=SOURCE.parent, capture_output=True, check=True)  # noqa: S603

    slow = {"grpc", "google.cloud.firestore_v1", "google.cloud.storage", "google.auth", "requests"}
    assert not slow & set(ran.stdout.decode().split())


@MODES
def test_an_event_is_settled(client, settled, outside, post):
    assert post(client, DATA).status_code == 200

    ((bucket, name, written, now, deps),) = settled
    assert (bucket, name, deps) == (DATA["bucket"], DATA["name"], outside)
    assert written.isoformat() == "2026-11-22T10:00:00.123456+00:00"
    assert now >= written or now.tzinfo is not None


@MODES
def test_an_event_that_does_not_say_when_counts_from_now(client, settled, post):
    post(client, {**DATA, "timeCreated": None})

    ((_, _, written, now, _),) = settled
    assert written == now


@MODES
@pytest.mark.parametrize(
    "data",
    [
        {},
        {"bucket": "out"},
        {"name": "x"},
        {"bucket": "", "name": "x"},
        {"bucket": "out", "name": None},
        [],
        "x",
        None,
    ],
)
def test_an_event_without_an_object_is_acknowledged_and_logged(client, settled, capsys, post, data):
    capsys.readouterr()

    assert post(client, data).status_code == 200

    assert not settled
    (line,) = logged(capsys)
    assert (line["severity"], line["message"], line["event_id"]) == (
        "ERROR",
        "event without an object",
        "1234",
    )


@MODES
@pytest.mark.parametrize(
    "error",
    [UpstreamUnavailableError("down", sent=True), OSError("x"), ValueError("x")],
)
def test_what_could_not_be_settled_comes_again(client, settled, post, error):
    settled.error = error

    assert post(client, DATA).status_code == 500


def test_what_has_to_wait_is_a_notice_with_its_reason_and_no_crash(client, settled, capsys, caplog):
    settled.error = NotYetError("no job yet")
    capsys.readouterr()

    answer = binary(client, DATA)

    assert answer.status_code == 503
    assert "X-Google-Status" not in answer.headers, "functions-framework calls it a crash"
    assert not caplog.records, "Error Reporting takes a traceback for a crash"
    notice = next(line for line in logged(capsys) if line["severity"] == "NOTICE")
    assert notice["uri"] == f"gs://out/{DATA['name']}"
    assert notice["reason"] == "no job yet"


def test_an_event_goes_all_the_way(client, outside, capsys):
    bucket, name = DATA["bucket"], DATA["name"]
    outside.objects.put(bucket, name, b"")
    capsys.readouterr()

    answer = binary(client, {**DATA, "timeCreated": "2020-01-01T00:00:00Z"})

    assert answer.status_code == 200
    (parked,) = outside.store.parked(10)
    assert parked.uri == f"gs://{bucket}/{name}"
    assert logged(capsys)[-1]["outcome"] == "parked"


def test_a_name_with_odd_characters_arrives_whole(client, settled):
    name = "run/größe 100% #1/prediction-model-x/predictions.jsonl"

    binary(client, {**DATA, "name": name}, subject="objects/run/gr%C3%B6%C3%9Fe")

    assert settled[0][1] == name


def test_what_is_no_event_is_refused(client, settled):
    assert client.post("/", data=b"{}", content_type="application/json").status_code == 400
    assert not settled


def test_data_that_is_no_json_is_not_settled(client, settled):
    headers = {f"ce-{name}": value for name, value in ATTRIBUTES.items()}

    answer = client.post("/", data=base64.b64encode(b"x"), headers={**headers, "Content-Type": "text/plain"})

    assert answer.status_code in {200, 400}
    assert not settled


def test_the_gateway_runs_under_functions_framework(monkeypatch):
    class Recording:
        def handle(self, request):
            return f"{request.method} {request.path}"

    monkeypatch.setattr(wiring, "gateway", Recording)
    for name in ("FUNCTION_TARGET", "FUNCTION_SIGNATURE_TYPE"):
        monkeypatch.setenv(name, "")
    client = functions_framework.create_app("gateway", str(SOURCE), "http").test_client()

    for method in ("GET", "POST", "DELETE", "PUT", "PATCH"):
        path = "/v1/projects/p/locations/l/batchPredictionJobs/1:cancel"
        assert client.open(path, method=method).text == f"{method} {path}"
