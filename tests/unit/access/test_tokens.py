"""The claims of identity tokens, as they are read before a signature is checked."""

import base64

import msgspec
import pytest

from batch_gateway.core.access.tokens import LEEWAY_SECONDS, Claims, claims_of, is_token, key_id_of

NOW = 1_795_000_000.0
ACCOUNT, AUDIENCE = "scheduler@acme.iam.gserviceaccount.com", "https://gateway.example"
GOOD = {
    "iss": "https://accounts.google.com",
    "aud": AUDIENCE,
    "exp": NOW + 1,
    "email": ACCOUNT,
    "email_verified": True,
}


def token(claims, header=None):
    parts = [msgspec.json.encode(part) for part in ({"kid": "k1"} if header is None else header, claims)]
    return ".".join([*(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts), "s"])


@pytest.mark.parametrize("more", ["", "a", "aa", "aaa"])
def test_claims_are_read_whatever_padding_was_left_out(more):
    assert claims_of(token({**GOOD, "sub": more})) == Claims(**GOOD)
    assert key_id_of(token(GOOD, {"kid": f"k{more}"})) == f"k{more}"


@pytest.mark.parametrize(
    "wrong", ["", "a.b.c", "a", "..", "é.é.é", f"{'a' * 5}.{'a' * 5}.", token([]), token({"iss": 1})]
)
def test_what_cannot_be_read_has_no_claims(wrong):
    assert claims_of(wrong) is None


@pytest.mark.parametrize("header", [[], {"kid": 1}, {"alg": "RS256"}])
def test_a_header_may_name_no_key(header):
    assert key_id_of(token(GOOD, header)) is None


@pytest.mark.parametrize(
    ("change", "valid"),
    [
        ({}, True),
        ({"iss": "accounts.google.com"}, True),
        ({"iss": "https://accounts.google.com.example"}, False),
        ({"aud": f"{AUDIENCE}/"}, False),
        ({"email": "somebody@acme.example"}, False),
        ({"email_verified": False}, False),
        ({"exp": NOW - LEEWAY_SECONDS + 0.5}, True),
        ({"exp": NOW - LEEWAY_SECONDS}, False),
    ],
)
def test_claims_are_of_one_account_for_one_audience_and_a_time(change, valid):
    assert Claims(**{**GOOD, **change}).is_valid(ACCOUNT, AUDIENCE, NOW) is valid


def test_a_token_is_told_from_a_key_by_its_form():
    assert is_token(token(GOOD))
    assert not is_token("sk-1234")
    assert not is_token("a.b.c.d")
    assert not is_token(f"{'a' * 9000}.b.c")
