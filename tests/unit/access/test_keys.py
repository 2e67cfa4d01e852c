"""Secrets of keys: random, kept as hashes, shown in part; and what a caller's key makes of the caller."""

import hashlib
import hmac

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.access.callers import Caller, authenticate_master
from batch_gateway.core.access.keys import KeyRecord, name_of, new_secret, token_of
from batch_gateway.core.access.limits import Grant
from batch_gateway.core.jobs.labels import KEY_LABEL, TEAM_LABEL

MASTER_KEY = "sk-the-master-key"


def test_secrets_are_long_and_never_the_same():
    secrets = {new_secret() for _ in range(2000)}

    assert len(secrets) == 2000
    assert {len(secret) for secret in secrets} == {3 + 43}, "256 bits in base64"
    assert all(secret.startswith("sk-") for secret in secrets)


def test_a_token_is_the_sha256_of_the_secret():
    assert token_of("sk-x") == hashlib.sha256(b"sk-x").hexdigest()


@given(st.text())
def test_a_token_of_any_text_is_64_hex_digits(secret):
    assert len(bytes.fromhex(token_of(secret))) == 32


def test_a_lone_surrogate_in_a_header_is_only_a_wrong_key():
    assert token_of("sk-\udcff") != token_of("sk-?")
    assert authenticate_master("sk-\udcff", MASTER_KEY) is None


def test_a_name_shows_four_characters_of_the_secret():
    secret = new_secret()

    assert name_of(secret) == f"sk-...{secret[-4:]}"


def test_a_record_has_no_place_for_a_secret():
    fields = {field.name for field in msgspec.structs.fields(KeyRecord)}

    assert not fields & {"key", "secret", "api_key"}


@pytest.mark.parametrize("secret", ["", "x", MASTER_KEY + " ", MASTER_KEY[:-1], MASTER_KEY.upper()])
def test_what_is_not_the_master_key_is_not_the_administrator(secret):
    assert authenticate_master(secret, MASTER_KEY) is None


@pytest.mark.parametrize("master_key", [None, ""])
@pytest.mark.parametrize("secret", ["", "None", "x"])
def test_without_a_master_key_there_is_no_administrator(master_key, secret):
    assert authenticate_master(secret, master_key) is None


@pytest.mark.parametrize("verdict", [True, False])
@pytest.mark.parametrize("secret", [MASTER_KEY, "something else", ""])
def test_compare_digest_decides_who_is_the_administrator(monkeypatch, verdict, secret):
    """And nothing beside it: whatever it says is what comes out, and both sides have the same length."""
    compared = []

    def compare(a, b):
        compared.append((a, b))
        return verdict

    monkeypatch.setattr(hmac, "compare_digest", compare)

    assert (authenticate_master(secret, MASTER_KEY) is not None) is verdict
    ((a, b),) = compared
    assert len(a) == len(b) == 32
    assert MASTER_KEY.encode() not in (a, b)


def key_of(team=None, grants=()):
    return Caller("alias", team, "0123456789abcdef", grants)


def test_a_scope_is_the_team_or_the_key_itself():
    assert Caller("master").scope is None
    assert key_of("search").scope == (TEAM_LABEL, "search")
    assert key_of().scope == (KEY_LABEL, "0123456789abcdef")


@pytest.mark.parametrize(
    ("labels", "own"),
    [
        ({"team": "search"}, True),
        ({"team": "search", "api_key": "another"}, True),
        ({}, False),
        ({"team": ""}, False),
        ({"team": None}, False),
        ({"team": ["search"]}, False),
        ({"team": "searc"}, False),
        ({"team": "Search"}, False),
        ({"Team": "search"}, False),
        ({"api_key": "search"}, False),
    ],
)
def test_a_team_owns_what_carries_its_label(labels, own):
    assert key_of("search").owns(labels) is own
    assert Caller("master").owns(labels)


def test_a_key_without_a_team_does_not_own_jobs_without_labels():
    assert not key_of().owns({})
    assert not key_of().owns({"api_key": None})
    assert not key_of().owns({"api_key": "alias"}), "an alias can be given again, an id cannot"


def test_rate_limits_are_those_of_key_and_team_that_are_set():
    key, team = Grant(rpm_limit=3), Grant(rpm_limit=5)

    assert key_of("search", (key, team)).rate_limits == [("key:0123456789abcdef", 3), ("team:search", 5)]
    assert key_of("search", (Grant(), team)).rate_limits == [("team:search", 5)]
    assert key_of(grants=(key,)).rate_limits == [("key:0123456789abcdef", 3)]
    assert Caller("master").rate_limits == []
