"""The relay against a real gcp-storage-emulator, and a receiver that can be told to fail."""

import base64
import hashlib
import json
import os
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import pytest
import requests
from cloudevents.http import from_http

from patience import PATIENCE
from processes import free_ports, wait_until
from relay import Backoff, Relay
from storage_emulator import StorageEmulator

BUCKETS = ("relay-in", "relay-out")
# The name that Vertex AI gives: with colons.
NAME = "example/prediction-model-2026-11-22T15:51:35.678901Z/predictions.jsonl"


@dataclass
class Receiver:
    """Record the requests to a push endpoint, and set its next answers."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: threading.Event = field(default_factory=threading.Event)

    def ids(self):
        return [headers["ce-id"] for headers, _ in self.requests]


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    emulator = StorageEmulator(
        free_ports(1)[0], tmp_path_factory.mktemp("storage") / "storage.log", os.environ
    )
    emulator.process.start()
    try:
        emulator.process.wait_ready()
        emulator.create_buckets(BUCKETS)
        yield emulator.url
    finally:
        emulator.process.stop()


@pytest.fixture
def receiver():
    seen = Receiver()
    seen.answers.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            seen.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
            seen.answers.wait(PATIENCE)
            self.send_response(seen.statuses.pop(0) if seen.statuses else 204)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    seen.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield seen
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def make_relay(storage, receiver):
    running = []

    def make(target=None, **options):
        options = {"poll_interval": 0.05, "backoff": Backoff(start=0.05, cap=0.2), **options}
        relay = Relay(storage, target or receiver.url, BUCKETS, **options)
        relay.start()
        running.append(relay)
        return relay

    yield make
    for relay in running:
        relay.stop()


def write(storage, name, content=b"{}\n", bucket="relay-out"):
    url = f"{storage}/upload/storage/v1/b/{bucket}/o"
    answer = requests.post(
        url,
        params={"uploadType": "media", "name": name},
        data=content,
        headers={"content-type": "text/plain"},
        timeout=PATIENCE,
    )
    answer.raise_for_status()
    return answer.json()


def settled(relay, receiver, count):
    """Waits for that many requests, and then a few polls longer for one too many."""
    wait_until(lambda: len(receiver.requests) >= count and relay.idle(), PATIENCE, f"{count} requests")
    threading.Event().wait(0.3)
    assert len(receiver.requests) == count
    return receiver.requests


def test_a_new_object_is_one_event_as_eventarc_sends_it(storage, receiver, make_relay):
    relay = make_relay()
    written = write(storage, NAME, b"one line\n")

    [(headers, body)] = settled(relay, receiver, 1)

    assert headers["ce-specversion"] == "1.0"
    assert headers["ce-type"] == "google.cloud.storage.object.v1.finalized"
    assert headers["ce-source"] == "//storage.googleapis.com/projects/_/buckets/relay-out"
    assert headers["ce-subject"] == f"objects/{NAME}"
    assert headers["ce-time"] == written["updated"]
    assert headers["content-type"] == "application/json"
    resource = json.loads(body)
    assert resource["kind"] == "storage#object"
    assert resource["id"] == f"relay-out/{NAME}/{written['generation']}"
    assert (resource["bucket"], resource["name"]) == ("relay-out", NAME)
    assert (resource["generation"], resource["metageneration"]) == (written["generation"], "1")
    assert resource["size"] == "9"
    assert resource["contentType"] == "text/plain"
    assert resource["md5Hash"] == base64.b64encode(hashlib.md5(b"one line\n").digest()).decode()  # noqa: S324
    wanted = {"selfLink", "timeCreated", "updated", "storageClass", "crc32c", "etag", "mediaLink"}
    assert wanted <= resource.keys()
    assert "acl" not in resource
    assert (relay.delivered, relay.retried, relay.expired) == (1, 0, 0)


def test_the_event_is_one_that_the_cloudevents_sdk_reads(storage, receiver, make_relay):
    relay = make_relay()
    write(storage, 'größe "100 %"/ü.jsonl')

    [(headers, body)] = settled(relay, receiver, 1)

    event = from_http(headers, body)
    assert event.get_attributes()["type"] == "google.cloud.storage.object.v1.finalized"
    assert event.get_attributes()["subject"] == "objects/" + quote('größe "100 %"/ü.jsonl', safe="/")
    assert event.get_data()["name"] == 'größe "100 %"/ü.jsonl'


def test_what_was_there_before_the_relay_is_no_event(storage, receiver, make_relay):
    write(storage, "early.jsonl")
    relay = make_relay()
    write(storage, "late.jsonl", bucket="relay-in")

    [(headers, _)] = settled(relay, receiver, 1)

    assert headers["ce-subject"] == "objects/late.jsonl"


def test_an_overwritten_object_is_a_second_event_with_the_new_generation(storage, receiver, make_relay):
    relay = make_relay()
    first = write(storage, "twice.jsonl", b"1\n")
    settled(relay, receiver, 1)
    second = write(storage, "twice.jsonl", b"22\n")

    events = settled(relay, receiver, 2)

    resources = [json.loads(body) for _, body in events]
    assert [each["generation"] for each in resources] == [first["generation"], second["generation"]]
    assert first["generation"] != second["generation"]
    assert [each["size"] for each in resources] == ["2", "3"]
    assert len(set(receiver.ids())) == 2


def test_a_refused_event_comes_again_with_its_id_until_it_is_accepted(storage, receiver, make_relay):
    receiver.statuses = [500, 404, 429, 302]
    relay = make_relay()
    write(storage, "refused.jsonl")

    events = settled(relay, receiver, 5)

    assert len(set(receiver.ids())) == 1
    assert len({body for _, body in events}) == 1
    assert (relay.delivered, relay.retried, relay.expired) == (1, 4, 0)


def test_one_refused_event_does_not_hold_up_another(storage, receiver, make_relay):
    receiver.statuses = [503]
    receiver.answers.clear()
    relay = make_relay(workers=1, backoff=Backoff(start=1.0, cap=1.0))
    write(storage, "a.jsonl")
    wait_until(lambda: receiver.requests, PATIENCE, "the first event")
    write(storage, "b.jsonl")
    wait_until(lambda: relay._queue, PATIENCE, "the second event to be seen")
    receiver.answers.set()

    settled(relay, receiver, 3)

    subjects = [headers["ce-subject"] for headers, _ in receiver.requests]
    assert subjects == ["objects/a.jsonl", "objects/b.jsonl", "objects/a.jsonl"]


def test_a_receiver_that_is_down_gets_the_event_once_it_is_up(storage, receiver, make_relay):
    port = free_ports(1)[0]
    relay = make_relay(target=f"http://127.0.0.1:{port}/")
    write(storage, "down.jsonl")
    wait_until(lambda: relay.retried >= 2, PATIENCE, "two attempts")
    assert relay.delivered == 0

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            receiver.requests.append((dict(self.headers), b""))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        settled(relay, receiver, 1)
        server.shutdown()
        thread.join()
    assert relay.delivered == 1


def test_an_event_is_given_up_after_its_time(storage, receiver, make_relay):
    receiver.statuses = [500] * 1000
    relay = make_relay(backoff=Backoff(start=0.02, cap=0.02, give_up_after=0.1))
    write(storage, "hopeless.jsonl")

    wait_until(lambda: relay.expired, PATIENCE, "the relay to give up")

    assert relay.delivered == 0
    assert relay.idle()


def test_a_duplicate_by_hand_has_the_id_of_the_first(storage, receiver, make_relay):
    relay = make_relay()
    first = write(storage, "again.jsonl", b"1\n")
    settled(relay, receiver, 1)
    write(storage, "again.jsonl", b"22\n")
    settled(relay, receiver, 2)
    old, new = receiver.ids()

    assert relay.deliver("relay-out", "again.jsonl") == 204
    assert relay.deliver("relay-out", "again.jsonl", first["generation"]) == 204
    receiver.statuses = [500]
    assert relay.deliver("relay-out", "again.jsonl") == 500

    assert receiver.ids() == [old, new, new, old, new]
    assert json.loads(receiver.requests[3][1])["generation"] == first["generation"]


def test_a_stopped_relay_loses_events_for_good(storage, receiver, make_relay):
    relay = make_relay()
    relay.stop()
    write(storage, "lost.jsonl")
    relay.start()
    write(storage, "kept.jsonl")

    [(headers, _)] = settled(relay, receiver, 1)

    assert headers["ce-subject"] == "objects/kept.jsonl"
    relay.stop()
    assert not [each for each in threading.enumerate() if each.name == "relay"]


def test_a_listing_is_sent_again_only_after_a_change(storage):
    def listing(etag):
        url = f"{storage}/storage/v1/b/relay-out/o"
        return requests.get(url, headers={"If-None-Match": etag}, timeout=PATIENCE)

    write(storage, "listed.jsonl")
    first = listing("")
    assert "listed.jsonl" in first.text
    assert listing(first.headers["ETag"]).status_code == 304
    write(storage, "listed.jsonl", b"{}\n{}\n")
    assert listing(first.headers["ETag"]).json()["items"] != first.json()["items"]


def test_a_bucket_that_cannot_be_listed_loses_no_event_of_another(storage, receiver):
    gone = f"{storage}/storage/v1/b/relay-gone"
    requests.post(f"{storage}/storage/v1/b", json={"name": "relay-gone"}, timeout=PATIENCE).raise_for_status()
    with Relay(storage, receiver.url, ("relay-out", "relay-gone"), poll_interval=0.05):
        requests.delete(gone, timeout=PATIENCE).raise_for_status()
        write(storage, "kept.jsonl")
        wait_until(lambda: receiver.requests, PATIENCE, "an event to come")
