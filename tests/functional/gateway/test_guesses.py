"""Keys that nobody has: looked up a few times, then slowed; and nobody else is locked out."""

import json

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from batch_gateway.gateway.http import requests
from batch_gateway.gateway.http.wrong_keys import ALLOWED
from fakes import MemoryKeys
from functional.gateway.conftest import JOBS, KEY, reason
from functional.gateway.scoped import clocked, new_key

HOME, ELSEWHERE = "198.51.100.7", "203.0.113.9"


class CountingKeys(MemoryKeys):
    def __init__(self):
        super().__init__()
        self.reads = 0

    def get_key(self, token):
        self.reads += 1
        return super().get_key(token)


@pytest.fixture
def guarded(scripted):
    scripted.keys = CountingKeys()
    scripted.client = scripted.new_client()
    scripted.clock = clocked(scripted)
    return scripted


def call(world, key, address=HOME, client=None):
    return world.get(JOBS, key=key, client=client, headers={"X-Forwarded-For": f"10.0.0.1, {address}"})


def guess(world, number, start=0, address=HOME):
    """Reasons of the answers to that many different keys that nobody has."""
    return [reason(call(world, f"{start + at:08}-guess", address)) for at in range(number)]


def test_a_few_wrong_keys_are_told_so_and_the_next_ones_are_not_even_looked_up(guarded, capsys):
    assert set(guess(guarded, ALLOWED)) == {"API_KEY_INVALID"}
    reads = guarded.keys.reads
    capsys.readouterr()

    assert set(guess(guarded, 500, ALLOWED)) == {"KEY_ATTEMPTS_EXCEEDED"}

    assert guarded.keys.reads == reads == ALLOWED
    answer = call(guarded, "the-next-one")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")


def test_it_is_logged_once_a_minute_with_the_address_and_without_a_key(guarded, capsys):
    for _ in range(2):
        capsys.readouterr()
        guess(guarded, 3 * ALLOWED)
        (line,) = [line for line in capsys.readouterr().out.splitlines() if "keys.guessed" in line]
        said = json.loads(line)
        assert (said["by"], said["address"], said["severity"]) == ("address", HOME, "WARNING")
        assert "guess-" not in line
        guarded.clock.advance(61)


def test_the_same_wrong_key_over_and_over_is_one_read_in_ten_seconds(guarded):
    for _ in range(100):
        assert reason(call(guarded, "sk-wrong")) == "API_KEY_INVALID"
        guarded.clock.advance(0.05)
    assert guarded.keys.reads == 1
    guarded.clock.advance(10)
    assert reason(call(guarded, "sk-wrong")) == "API_KEY_INVALID"
    assert guarded.keys.reads == 2


def test_a_good_key_that_is_known_here_works_from_the_same_address(guarded):
    key = new_key(guarded)
    assert call(guarded, key).status_code == 200
    guess(guarded, 2 * ALLOWED)

    for _ in range(5):
        assert call(guarded, key).status_code == 200
        guarded.clock.advance(11)
        guess(guarded, 2 * ALLOWED, start=1000)
    assert call(guarded, KEY).status_code == 200, "so does the master key"


def test_a_good_key_that_is_new_here_gets_in_at_the_second_try(guarded):
    key = new_key(guarded)
    guess(guarded, 2 * ALLOWED)

    assert reason(call(guarded, key)) == "KEY_ATTEMPTS_EXCEEDED"
    assert reason(call(guarded, key)) == "KEY_ATTEMPTS_EXCEEDED", "a second later"
    guess(guarded, 1000, start=1000)
    guarded.clock.advance(1)
    assert call(guarded, key).status_code == 200
    assert call(guarded, key).status_code == 200


def test_other_addresses_notice_nothing(guarded):
    key = new_key(guarded)
    guess(guarded, 2 * ALLOWED)

    assert call(guarded, key, ELSEWHERE).status_code == 200
    assert guess(guarded, 1, 9000, ELSEWHERE) == ["API_KEY_INVALID"]


def test_the_same_beginning_from_many_addresses_is_slowed_too(guarded):
    answers = [
        reason(call(guarded, f"sk-abcde{number}", f"203.0.113.{number % 250}"))
        for number in range(2 * ALLOWED)
    ]

    assert answers == ["API_KEY_INVALID"] * ALLOWED + ["KEY_ATTEMPTS_EXCEEDED"] * ALLOWED
    assert reason(call(guarded, "sk-other1", ELSEWHERE)) == "API_KEY_INVALID"


def test_after_a_minute_it_begins_anew(guarded):
    guess(guarded, 2 * ALLOWED)
    guarded.clock.advance(61)

    assert guess(guarded, 1, 5000) == ["API_KEY_INVALID"]


def test_wrong_keys_do_not_make_good_ones_forgotten(guarded, monkeypatch):
    monkeypatch.setattr("batch_gateway.gateway.http.wrong_keys._REMEMBERED", 50)
    key = new_key(guarded)
    call(guarded, key)
    for number in range(100):
        call(guarded, f"{number:08}-guess", f"203.0.113.{number}")
    reads = guarded.keys.reads

    assert call(guarded, key).status_code == 200
    assert guarded.keys.reads == reads


def test_the_sweep_goes_by_the_same_rule(guarded):
    headers = {"X-Forwarded-For": HOME}
    for number in range(ALLOWED):
        guarded.call("POST", "/internal/reconcile", key=f"{number:08}-x", headers=headers)

    assert reason(guarded.call("POST", "/internal/reconcile", key="next", headers=headers)) == (
        "KEY_ATTEMPTS_EXCEEDED"
    )


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("1.1.1.1, 2.2.2.2 ,198.51.100.7", "198.51.100.7"),
        ("198.51.100.7, evil", ""),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("", "127.0.0.1"),
        ("x" * 10_000, ""),
    ],
    ids=["one", "the last one", "none", "IPv6", "the same network", "no proxy", "long"],
)
def test_the_address_is_the_one_that_googles_front_end_wrote(forwarded, address):
    builder = EnvironBuilder(headers={"X-Forwarded-For": forwarded} if forwarded else {})
    builder.environ_base = {"REMOTE_ADDR": "127.0.0.1"}

    assert requests.address(Request(builder.get_environ())) == address
