"""Publishing: to Google's own emulator where gcloud has it, and to a server that answers as the API does."""

import base64
import json
import os

import pytest
import requests
import urllib3

from batch_gateway.adapters import pubsub
from batch_gateway.adapters.pubsub import PubSubTopic
from batch_gateway.ports import UnreachableError, UpstreamCredentialsError
from firestore_emulator import find_java, sdk_roots
from functional.gateway.loopback import Answer, Loopback, closed_port
from patience import PATIENCE
from processes import HOST, ManagedProcess, free_ports, is_listening

TOPIC = "projects/my-project/topics/events"
SUBSCRIPTION = "projects/my-project/subscriptions/all"
BODY = '{"type":"batch.completed","data":{"größe":1}}'.encode()
ATTRIBUTES = {"id": "evt_1", "type": "batch.completed", "team": "", "model": "gemini-2.5-flash"}
TAKEN = Answer(200, b'{"messageIds": ["1"]}')


@pytest.fixture
def api():
    with Loopback() as loopback:
        loopback.answers = [TAKEN]
        yield loopback


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    """``host:port`` of Google's emulator of Pub/Sub, with a topic and a subscription."""
    jars = (jar for root in sdk_roots() for jar in root.glob("platform/pubsub-emulator/lib/*-all.jar"))
    jar = next(jars, None)
    if jar is None:
        pytest.skip("gcloud's component pubsub-emulator is not installed")
    [port] = free_ports(1)
    process = ManagedProcess(
        "Pub/Sub's emulator",
        [find_java(11), "-jar", str(jar), f"--host={HOST}", f"--port={port}"],
        is_ready=lambda _: is_listening(port),
        log=tmp_path_factory.mktemp("pubsub") / "log",
        env=os.environ,
        timeout=PATIENCE,
    )
    process.start()
    try:
        process.wait_ready()
        url = f"http://{HOST}:{port}/v1"
        requests.put(f"{url}/{TOPIC}", json={}, timeout=PATIENCE).raise_for_status()
        requests.put(f"{url}/{SUBSCRIPTION}", json={"topic": TOPIC}, timeout=PATIENCE).raise_for_status()
        yield f"{HOST}:{port}"
    finally:
        process.stop()


def test_a_message_arrives(emulator):
    PubSubTopic(TOPIC, emulator).publish(BODY, {**ATTRIBUTES, "team": "größe" * 300})
    pulled = requests.post(
        f"http://{emulator}/v1/{SUBSCRIPTION}:pull", json={"maxMessages": 9}, timeout=PATIENCE
    ).json()
    [message] = [received["message"] for received in pulled["receivedMessages"]]
    assert base64.b64decode(message["data"]) == BODY
    assert message["attributes"].pop("team").encode() == ("größe" * 300).encode()[:1024]
    assert message["attributes"] == {"id": "evt_1", "type": "batch.completed", "model": "gemini-2.5-flash"}


def test_a_topic_that_is_not_there_is_told(emulator):
    with pytest.raises(UnreachableError, match="Pub/Sub answered 404: "):
        PubSubTopic("projects/my-project/topics/none", emulator).publish(BODY, ATTRIBUTES)


def test_the_call_is_the_apis(api):
    PubSubTopic(TOPIC, api.host).publish(BODY, ATTRIBUTES)
    [seen] = api.seen
    assert (seen.method, seen.target) == ("POST", f"/v1/{TOPIC}:publish")
    assert seen.header("Content-Type") == "application/json"
    assert seen.header("Authorization") is None
    assert json.loads(seen.body) == {
        "messages": [
            {
                "data": base64.b64encode(BODY).decode(),
                "attributes": {"id": "evt_1", "type": "batch.completed", "model": "gemini-2.5-flash"},
            }
        ]
    }


def test_google_is_called_with_a_token(api, monkeypatch):
    monkeypatch.setattr(pubsub, "_HOST", api.url)
    monkeypatch.setattr(pubsub.GoogleToken, "get", lambda _: "ya29.x")
    PubSubTopic(TOPIC).publish(BODY, ATTRIBUTES)
    assert api.seen[0].header("Authorization") == "Bearer ya29.x"


def test_google_is_called_where_the_api_is(monkeypatch):
    called = []

    def request(_, method, url, **__):
        called.append((method, url))
        raise urllib3.exceptions.ProtocolError("x")

    monkeypatch.setattr(pubsub.GoogleToken, "get", lambda _: "ya29.x")
    monkeypatch.setattr(urllib3.PoolManager, "request", request)
    with pytest.raises(UnreachableError, match="ProtocolError"):
        PubSubTopic(TOPIC).publish(BODY, ATTRIBUTES)
    assert called == [("POST", f"https://pubsub.googleapis.com/v1/{TOPIC}:publish")]


def test_no_token_is_no_delivery(monkeypatch):
    def get(_):
        raise UpstreamCredentialsError("no credentials")

    monkeypatch.setattr(pubsub.GoogleToken, "get", get)
    with pytest.raises(UnreachableError, match="no Google token: no credentials"):
        PubSubTopic(TOPIC).publish(BODY, ATTRIBUTES)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Answer(403, b'{"error": {"code": 403, "message": "no permission"}}'), "403: no permission"),
        (Answer(503, b"<html>"), "503: no reason given"),
        (Answer(500, b'{"error": "x"}'), "500: no reason given"),
        (Answer(500, b"[]"), "500: no reason given"),
        (Answer(500, b"\xff"), "500: no reason given"),
        (Answer(307, b"", headers=(("Location", "/elsewhere"),)), "307: no reason given"),
    ],
)
def test_a_refusal_is_told(api, answer, problem):
    api.answers = [answer]
    with pytest.raises(UnreachableError, match=f"Pub/Sub answered {problem}"):
        PubSubTopic(TOPIC, api.host).publish(BODY, ATTRIBUTES)
    assert len(api.seen) == 1


def test_no_answer_is_told():
    with pytest.raises(UnreachableError, match="Pub/Sub gave no answer: NewConnectionError"):
        PubSubTopic(TOPIC, f"{HOST}:{closed_port()}").publish(BODY, ATTRIBUTES)
