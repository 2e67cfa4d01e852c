"""Events go out at once, again until they arrive, and nobody's receiver keeps another's waiting."""

import dataclasses
import itertools
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from standardwebhooks.webhooks import Webhook

from batch_gateway.adapters.webhooks import HttpsReceivers
from batch_gateway.core.notify.events import LEASE, job_event
from batch_gateway.core.notify.webhook_security import ForbiddenUrlError, new_secret
from batch_gateway.notify.delivery import DeliveryReport, NotifyDeps, deliver_due, notify
from batch_gateway.ports import Endpoint, Reply, StoreUnavailableError, UnreachableError
from builders import job_record
from fakes import MemoryOutbox
from functional.tls import Server, answering
from patience import PATIENCE

BEGIN = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECRET = new_secret()
URL = "https://hooks.example.com/services/p4th?token=t0p"


def job(number=1, key_id="k1"):
    return job_record(BEGIN, number, key_id=key_id, closed=True, settled_outputs=1)


class Endpoints(dict):
    """The Endpoints port."""

    down = False

    def endpoint_of(self, key_id):
        if self.down:
            raise StoreUnavailableError("down")
        return self.get(key_id)

    def disable_endpoint(self, key_id, url):
        if self[key_id].url == url:
            del self[key_id]


class World:
    """Ports, and a time that stands still until it is moved; `reply` and `publish` are what receivers do."""

    def __init__(self):
        self.time = BEGIN
        self.outbox = MemoryOutbox()
        self.endpoints = Endpoints(k1=Endpoint(URL, SECRET))
        self.posts, self.published = [], []
        self.reply = lambda url: Reply(200)  # noqa: ARG005 - others look at it
        self.refusal = None
        self.deps = NotifyDeps(
            outbox=self.outbox,
            endpoints=self.endpoints,
            receivers=self,
            topic=self,
            clock=time.monotonic,
            now=lambda: self.time,
        )

    def post(self, url, headers, body):
        self.posts.append((url, headers, body))
        return self.reply(url)

    def publish(self, body, attributes):
        if self.refusal:
            raise self.refusal
        self.published.append((body, attributes))

    def note(self, number=1, key_id="k1"):
        event = job_event(job(number, key_id), self.time)
        assert self.outbox.add_event(event)
        return event

    def due(self, seconds=5.0):
        return deliver_due(self.deps, self.time, self.deps.clock() + seconds)

    def states(self, event):
        kept = self.outbox.events[event.id]
        return kept.webhook.state, kept.topic.state


@pytest.fixture
def world():
    return World()


def logged(capsys, *names):
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in lines if not names or line["event"] in names]


def test_an_event_goes_out_at_once_and_only_once(world, capsys):
    event = world.note()
    notify(event, world.deps)
    [(url, headers, body)] = world.posts
    assert (url, body) == (URL, event.body)
    assert headers["webhook-id"] == event.id
    assert headers["webhook-timestamp"] == str(int(BEGIN.timestamp()))
    assert world.published == [
        (
            event.body,
            {"id": event.id, "type": "batch.completed", "team": "search", "model": "gemini-2.5-flash"},
        )
    ]
    assert world.states(event) == ("delivered", "delivered")
    [webhook, topic] = logged(capsys)
    assert webhook == {
        "severity": "INFO",
        "message": "event delivered",
        "event": "webhook.delivered",
        "id": event.id,
        "type": "batch.completed",
        "key_id": "k1",
        "team": "search",
        "host": "hooks.example.com",
        "status": 200,
        "problem": None,
        "attempts": 1,
        "next_attempt": None,
    }
    assert topic["event"] == "pubsub.delivered"
    world.time += timedelta(days=20)
    assert world.due() == DeliveryReport()
    assert len(world.posts) == len(world.published) == 1


def test_nobody_to_tell_is_fine(world, capsys):
    world.deps = dataclasses.replace(world.deps, topic=None)
    for number, key_id in enumerate((None, "k2")):
        event = world.note(number, key_id)
        notify(event, world.deps)
        assert world.states(event) == ("unwanted", "unwanted")
        assert world.outbox.events[event.id].webhook.attempts == 0
    world.time += timedelta(days=1)
    assert world.due() == DeliveryReport()
    assert logged(capsys) == []


def test_it_is_tried_ten_times_with_the_same_body_and_then_given_up(world, capsys):
    world.reply = lambda _: Reply(500)
    event = world.note()
    notify(event, world.deps)
    attempts = [world.time]
    while world.outbox.events[event.id].next_attempt:
        world.time = world.outbox.events[event.id].next_attempt - timedelta(seconds=1)
        assert world.due() == DeliveryReport()
        world.time += timedelta(seconds=1)
        world.due()
        attempts.append(world.time)
    assert world.states(event) == ("abandoned", "delivered")
    assert len(world.published) == 1  # what has arrived on one way is not sent there again
    assert len(world.posts) == len(attempts) == 10
    assert {(headers["webhook-id"], body) for _, headers, body in world.posts} == {(event.id, event.body)}
    assert [headers["webhook-timestamp"] for _, headers, _ in world.posts] == [
        str(int(each.timestamp())) for each in attempts
    ]
    assert timedelta(hours=75) < attempts[-1] - attempts[0] < timedelta(hours=84)
    lines = logged(capsys, "webhook.failed", "webhook.abandoned")
    assert [line["event"] for line in lines] == ["webhook.failed"] * 9 + ["webhook.abandoned"]
    assert (lines[0]["severity"], lines[0]["attempts"], lines[0]["status"]) == ("WARNING", 1, 500)
    assert (lines[-1]["severity"], lines[-1]["attempts"]) == ("ERROR", 10)


def test_counts_tell_what_became_of_the_attempts(world):
    for number in range(3):
        world.note(number, f"k{number}")
    world.endpoints.update(k0=Endpoint("https://a.example.com/", SECRET), k2=Endpoint(URL, SECRET))
    world.reply = lambda url: Reply(503) if url == URL else Reply(204)
    world.time += LEASE
    assert world.due() == DeliveryReport(delivered=4, failed=2)


def test_a_receiver_gets_the_time_that_it_asks_for(world):
    world.reply = lambda _: Reply(429, "3600")
    event = world.note()
    notify(event, world.deps)
    assert world.outbox.events[event.id].next_attempt == BEGIN + timedelta(hours=1)


def test_a_receiver_that_is_gone_is_not_called_again(world, capsys):
    world.reply = lambda _: Reply(410)
    first, second = world.note(1), world.note(2)
    notify(first, world.deps)
    assert world.states(first)[0] == "abandoned"
    assert world.endpoints == {}
    [disabled, abandoned] = logged(capsys, "webhook.disabled", "webhook.abandoned")
    assert (disabled["key_id"], disabled["host"]) == ("k1", "hooks.example.com")
    assert abandoned["status"] == 410
    notify(second, world.deps)
    assert world.states(second)[0] == "unwanted"
    assert len(world.posts) == 1


@pytest.mark.parametrize("status", [199, 300, 302, 400, 404, 500])
def test_only_2xx_is_success(world, status):
    world.reply = lambda _: Reply(status)
    event = world.note()
    notify(event, world.deps)
    assert world.states(event)[0] == "due"


def test_a_topic_that_refuses_does_not_hold_up_the_webhook(world, capsys):
    world.refusal = UnreachableError("Pub/Sub answered 403: no permission")
    event = world.note()
    notify(event, world.deps)
    assert world.states(event) == ("delivered", "due")
    [line] = logged(capsys, "pubsub.failed")
    assert line["problem"] == "Pub/Sub answered 403: no permission"
    world.refusal = None
    world.time += MINUTE
    assert world.due() == DeliveryReport(delivered=1)
    assert (len(world.posts), len(world.published)) == (1, 1)


# Nothing that fails here fails a settlement, and no crash loses an event.


@pytest.mark.parametrize(
    "error",
    [
        UnreachableError("hooks.example.com gave no answer"),
        ForbiddenUrlError("hooks.example.com has an address that is not public"),
        StoreUnavailableError("down"),
        RuntimeError("a mistake of ours"),
    ],
)
def test_whatever_goes_wrong_the_settlement_goes_on_and_the_event_comes_again(world, error):
    def fail(_):
        raise error

    world.reply = fail
    event = world.note()
    notify(event, world.deps)
    assert world.states(event)[0] == "due"
    world.reply = lambda _: Reply(200)
    world.time += LEASE
    world.due()
    assert world.states(event) == ("delivered", "delivered")


def test_a_secret_that_is_none_is_a_failure_like_any_other(world, capsys):
    world.endpoints["k1"] = Endpoint(URL, "whsec_short")
    event = world.note()
    notify(event, world.deps)
    assert world.states(event) == ("due", "delivered")
    [line] = logged(capsys, "webhook.failed")
    assert "24 to 64 bytes" in line["problem"]
    assert world.posts == []


def test_an_event_whose_writer_died_goes_out_when_its_lease_ends(world):
    event = world.note()
    world.time += LEASE - timedelta(seconds=1)
    assert world.due() == DeliveryReport()
    world.time += timedelta(seconds=1)
    assert world.due() == DeliveryReport(delivered=2)
    assert world.states(event) == ("delivered", "delivered")


def test_an_event_whose_arrival_was_not_noted_goes_out_again_with_its_id(world, capsys):
    event = world.note()

    def arrive(_):
        world.outbox.down = True
        return Reply(200)

    world.reply = arrive
    notify(event, world.deps)
    assert logged(capsys, "notify.failed")[0]["error"] == "StoreUnavailableError"
    world.outbox.down = False
    world.reply = lambda _: Reply(200)
    world.time += LEASE
    world.due()
    assert [headers["webhook-id"] for _, headers, _ in world.posts] == [event.id] * 2
    assert world.states(event) == ("delivered", "delivered")


def test_what_somebody_else_delivered_meanwhile_stays_delivered(world):
    event = world.note()

    def slow(_):
        # The lease ends, another sweep has more luck.
        world.reply = lambda _: Reply(200)
        world.time += LEASE
        world.due()
        raise UnreachableError("too late")

    world.reply = slow
    notify(event, world.deps)
    assert world.states(event) == ("delivered", "delivered")
    assert world.outbox.events[event.id].next_attempt is None


def test_an_outbox_that_is_down_is_told_to_the_sweep(world):
    world.note()
    world.outbox.down = True
    with pytest.raises(StoreUnavailableError):
        world.due()


def test_a_mistake_on_one_way_does_not_repeat_the_other_and_ends_some_time(world):
    world.refusal = RuntimeError("a mistake of ours")
    event = world.note()
    notify(event, world.deps)
    for _ in range(12):
        world.time = world.outbox.events[event.id].next_attempt or world.time
        world.due()
    assert world.states(event) == ("delivered", "abandoned")
    assert len(world.posts) == 1


def test_one_event_that_cannot_be_delivered_does_not_stop_the_call(world, capsys):
    world.endpoints.down = True
    first, second = world.note(1), world.note(2, None)
    world.time += LEASE
    done = world.due()
    assert done.problems == [f"{first.id}: down"]
    assert world.states(first) == ("due", "delivered")
    assert [line["id"] for line in logged(capsys, "notify.failed")] == [first.id]
    assert world.states(second) == ("unwanted", "delivered")


# Bounded, in turn, and fair.


def test_what_a_sweep_has_just_noted_goes_out_with_what_is_due(world):
    old = world.note(1)
    world.time += LEASE
    fresh = [world.note(number, "dead") for number in range(2, 6)]
    world.endpoints["dead"] = Endpoint("https://dead.example.com/", SECRET)

    def reply(url):
        if "dead" in url:
            raise UnreachableError("dead.example.com did not answer")
        return Reply(200)

    world.reply = reply
    done = deliver_due(world.deps, world.time, time.monotonic() + 5, fresh)
    assert (done.delivered, done.failed) == (6, 1)
    assert world.states(old) == ("delivered", "delivered")
    assert {world.states(event) for event in fresh} == {("due", "delivered")}


def test_a_receiver_that_does_not_answer_is_tried_once_a_call_and_keeps_nobody_waiting(world):
    world.endpoints["dead"] = Endpoint("https://dead.example.com/", SECRET)

    def reply(url):
        if "dead" in url:
            raise UnreachableError("dead.example.com did not answer within 15 s")
        return Reply(200)

    world.reply = reply
    dead = [world.note(number, "dead") for number in range(30)]
    alive = [world.note(number, "k1") for number in range(30, 40)]
    world.time += LEASE
    done = world.due()
    assert (done.failed, done.complete) == (1, True)
    assert all(world.states(event) == ("delivered", "delivered") for event in alive)
    assert {world.states(event) for event in dead} == {("due", "delivered")}
    # Once it answers again, those that had no turn are there at once.
    world.reply = lambda _: Reply(200)
    world.time += LEASE
    assert world.due() == DeliveryReport(delivered=30)
    assert {world.states(event) for event in dead} == {("delivered", "delivered")}


def test_receivers_that_do_not_answer_are_waited_for_side_by_side(world):
    together = threading.Barrier(8)  # opens only when all are waited for at once

    def hang(_):
        together.wait(PATIENCE)
        raise UnreachableError("did not answer")

    world.reply = hang
    for number in range(8):
        world.endpoints[f"k{number}"] = Endpoint(URL, SECRET)
        world.note(number, f"k{number}")
    world.time += LEASE
    assert world.due(seconds=30).failed == 8
    assert not together.broken


def test_a_slow_receiver_leaves_the_rest_of_its_events_to_the_next_call(world):
    clock = iter(range(0, 10**6, 4))  # every look at it is four seconds later
    world.deps = dataclasses.replace(world.deps, clock=lambda: next(clock) / 2)
    for number in range(60):
        world.note(number)
    world.time += MINUTE
    other = world.note(60, None)
    world.time += LEASE
    deliver_due(world.deps, world.time, 10**6)
    assert 2 <= len(world.posts) <= 6
    assert world.states(other) == ("unwanted", "delivered")
    waiting = [each for each in world.outbox.events.values() if each.webhook.state == "due"]
    assert len(waiting) == 60 - len(world.posts)
    assert {each.webhook.attempts for each in waiting} == {0}


def test_events_of_a_dead_receiver_are_given_up_in_time_even_without_a_turn(world, capsys):
    def dead(_):
        raise UnreachableError("hooks.example.com did not answer")

    world.reply = dead
    events = [world.note(number) for number in range(5)]
    world.time += timedelta(days=4, seconds=1)
    done = world.due()
    assert (done.delivered, done.abandoned) == (5, 5)
    assert len(world.posts) == 1
    assert {world.states(event) for event in events} == {("abandoned", "delivered")}
    assert sorted(world.outbox.events[event.id].webhook.attempts for event in events) == [0, 0, 0, 0, 1]
    assert len(logged(capsys, "webhook.abandoned")) == 5


def test_a_topic_that_does_not_answer_is_not_tried_for_every_event(world):
    world.refusal = UnreachableError("Pub/Sub gave no answer")
    asked = []
    world.deps = dataclasses.replace(world.deps, topic=world)
    world.publish = lambda *_: asked.append(1) or (_ for _ in ()).throw(world.refusal)
    for number in range(40):
        world.note(number)
    world.time += LEASE
    assert world.due().delivered == 40
    assert len(asked) == 1  # one key, so one after the other


def test_a_refused_event_does_not_hold_up_the_next_one(world):
    first, second = world.note(1), world.note(2)
    replies = iter([Reply(400), Reply(200)])
    world.reply = lambda _: next(replies)
    world.time += LEASE
    world.due()
    assert {world.states(first)[0], world.states(second)[0]} == {"due", "delivered"}


def test_more_than_one_batch_is_delivered_in_a_call(world):
    events = [world.note(number, f"k{number % 7}") for number in range(130)]
    world.endpoints.update({f"k{number}": Endpoint(URL, SECRET) for number in range(7)})
    world.time += LEASE
    assert world.due() == DeliveryReport(delivered=260)
    assert {world.states(event) for event in events} == {("delivered", "delivered")}


def test_no_attempt_is_begun_after_the_time_is_up(world):
    for number in range(20):
        world.note(number)

    looks = itertools.count()  # each of which takes a tenth of a second
    world.deps = dataclasses.replace(world.deps, clock=lambda: next(looks) / 10)
    world.time += LEASE
    assert world.due(seconds=-1) == DeliveryReport(complete=False)
    assert world.posts == []
    done = world.due(seconds=0.25)
    assert not done.complete
    assert 1 <= len(world.posts) <= 4
    world.time += LEASE
    assert world.due(seconds=60).complete
    assert len(world.posts) == 20


def test_two_sweeps_at_once_deliver_each_event_once(world):
    for number in range(120):
        world.note(number, f"k{number % 5}")
    world.endpoints.update({f"k{number}": Endpoint(URL, SECRET) for number in range(5)})
    world.time += LEASE
    together = threading.Barrier(2)

    def sweep(_):
        together.wait()
        return world.due()

    with ThreadPoolExecutor(2) as pool:
        assert sum(done.delivered for done in pool.map(sweep, range(2))) == 240
    assert len({headers["webhook-id"] for _, headers, _ in world.posts}) == len(world.posts) == 120


def test_nothing_secret_is_logged(world, capsys):
    raw = SECRET.removeprefix("whsec_")
    replies = iter([Reply(500), Reply(200), Reply(410)])
    world.reply = lambda _: next(replies)
    for number in range(3):
        notify(world.note(number), world.deps)
    said = capsys.readouterr().out
    assert "hooks.example.com" in said
    assert not [each for each in (raw, "t0p", "p4th", "whsec") if each in said]


def test_a_receiver_can_check_what_it_gets():
    """Over a real connection, with the public library for receivers."""
    server = Server(answering(204))
    world = World()
    world.time = datetime.now(UTC)
    world.endpoints["k1"] = Endpoint(f"http://127.0.0.1:{server.port}/in?x=1", SECRET)
    world.deps = dataclasses.replace(world.deps, receivers=HttpsReceivers(allow_private=True))
    event = world.note()
    notify(event, world.deps)
    server.close()
    [(head, body)] = server.requests
    headers = dict(line.split(": ", 1) for line in head.decode().splitlines()[1:] if line)
    payload = Webhook(SECRET).verify(body, headers)
    assert payload == msgspec.json.decode(event.body)
    assert payload["data"]["cost"] == {"amount": "0", "currency": "USD", "complete": True}
    assert world.states(event) == ("delivered", "delivered")
