"""OIDC tokens, checked against certificates that a loopback server serves."""

import base64
import datetime as dt
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from batch_gateway.adapters.incoming_tokens import GoogleIdentities

AUDIENCE = "https://gateway.example"
EMAIL = "scheduler@acme-batch.iam.gserviceaccount.com"


def encoded(value):
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


class Issuer:
    """Signs tokens as Google does, and publishes a certificate for its key."""

    def __init__(self):
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer")])
        now = dt.datetime.now(dt.UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .sign(self.key, hashes.SHA256())
            .public_bytes(serialization.Encoding.PEM)
            .decode()
        )

    def token(self, key=None, key_id="k1", **changes):
        now = int(dt.datetime.now(dt.UTC).timestamp())
        claims = {
            "iss": "https://accounts.google.com",
            "aud": AUDIENCE,
            "email": EMAIL,
            "email_verified": True,
            "iat": now - 5,
            "exp": now + 3600,
            **changes,
        }
        header = {"alg": "RS256", "typ": "JWT", "kid": key_id}
        signed = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
        signature = (key or self.key).sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{encoded(signature)}"


@pytest.fixture(scope="module")
def issuer():
    return Issuer()


class Certificates:
    """Plays Google's address of its certificates; counts how often it is asked, and may be out of order."""

    def __init__(self, issuer):
        self.issuer = issuer
        self.asked = 0
        self.body = json.dumps({"k1": issuer.certificate}).encode()
        self.status = 200

    def handler(self):
        certificates = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                certificates.asked += 1
                self.send_response(certificates.status)
                self.send_header("Content-Length", str(len(certificates.body)))
                self.end_headers()
                self.wfile.write(certificates.body)

            def log_message(self, *_):
                pass

        return Handler


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def certificates(issuer):
    return Certificates(issuer)


@pytest.fixture
def is_valid(certificates, clock):
    """Return True if a token is good for the account and the audience."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), certificates.handler())
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    identities = GoogleIdentities(f"http://127.0.0.1:{server.server_port}/certs", clock)

    def check(token, account=EMAIL, audience=AUDIENCE, *, checked=False):
        return identities.is_token_of(token, account, audience, checked=checked)

    yield check
    server.shutdown()
    server.server_close()


def unsigned(token):
    return f"{token.rpartition('.')[0]}.SIGNATURE_REMOVED_BY_GOOGLE"


def test_a_good_token_is_its_accounts(issuer, is_valid):
    assert is_valid(issuer.token())
    assert is_valid(issuer.token(iss="accounts.google.com"))
    assert not is_valid(issuer.token(), account="somebody@acme-batch.iam.gserviceaccount.com")


ANOTHER_USE = [
    {"aud": "https://elsewhere.example"},
    {"aud": [AUDIENCE]},
    {"iss": "https://issuer.example"},
    {"exp": 1_700_000_000, "iat": 1_600_000_000},
    {"exp": None},
    {"email_verified": False},
    {"email_verified": "true"},
    {"email_verified": None},
    {"email": None},
    {"email": "somebody@acme-batch.iam.gserviceaccount.com"},
    {"email": EMAIL.upper()},
]


@pytest.mark.parametrize("changes", ANOTHER_USE, ids=str)
def test_a_token_for_another_use_is_not_good_and_costs_no_look_at_certificates(
    issuer, is_valid, certificates, changes
):
    token = issuer.token(**changes)

    assert not is_valid(token)
    assert not is_valid(unsigned(token), checked=True)
    assert certificates.asked == 0


def test_a_token_that_somebody_else_signed_is_not_good(issuer, is_valid):
    forged = issuer.token(key=rsa.generate_private_key(public_exponent=65537, key_size=2048))

    assert not is_valid(forged)


@pytest.mark.parametrize("token", ["a.b.c", "..", "eyJhbGciOiJub25lIn0.e30.", "é.é.é", "a.W10.c", ""])
def test_what_is_no_token_is_not_good(is_valid, certificates, token):
    assert not is_valid(token, checked=True)
    assert certificates.asked == 0


def test_a_token_without_a_signature_counts_only_where_cloud_run_has_checked_it(
    issuer, is_valid, certificates
):
    token = unsigned(issuer.token())

    assert not is_valid(token)
    assert is_valid(token, checked=True)
    assert not is_valid(token, audience="https://elsewhere.example", checked=True)
    assert certificates.asked == 0


def test_one_that_has_its_signature_is_verified_there_too(issuer, is_valid):
    assert is_valid(issuer.token(), checked=True)
    assert not is_valid(f"{issuer.token()[:-4]}AAAA", checked=True)


def test_certificates_are_fetched_once_whatever_is_forged(issuer, is_valid, certificates, clock):
    for number in range(50):
        clock.now += 1
        assert not is_valid(issuer.token(key_id=f"unknown-{number}"))
        assert is_valid(issuer.token())
    assert certificates.asked == 1

    clock.now += 60
    for number in range(5):
        assert not is_valid(issuer.token(key_id=f"unknown-{number}"))
    assert certificates.asked == 2


def test_a_new_key_is_learnt(issuer, is_valid, certificates, clock):
    assert is_valid(issuer.token())
    certificates.body = json.dumps({"k2": issuer.certificate}).encode()
    clock.now += 61

    assert is_valid(issuer.token(key_id="k2"))
    assert not is_valid(issuer.token(key_id="k1"))


@pytest.mark.parametrize("answer", [(500, b"{}"), (200, b"<html>"), (200, b"[]"), (200, b" " * 70_000)])
def test_while_they_cannot_be_had_the_known_ones_are_good(issuer, is_valid, certificates, clock, answer):
    assert is_valid(issuer.token())
    certificates.status, certificates.body = answer
    for _ in range(3):
        clock.now += 4000
        assert is_valid(issuer.token())
    assert certificates.asked == 4


def test_without_any_no_token_is_good(issuer, is_valid, certificates, clock):
    good, certificates.body = certificates.body, b""
    assert not is_valid(issuer.token())
    certificates.body = good
    assert not is_valid(issuer.token()), "it is not asked for again at once"
    clock.now += 61
    assert is_valid(issuer.token())
