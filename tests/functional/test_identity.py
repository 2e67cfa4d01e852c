"""OIDC tokens, checked by google-auth against public keys that a loopback server serves."""

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
from google.oauth2 import id_token

from batch_gateway.adapters.identity import email_of

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

    def token(self, key=None, **changes):
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
        header = {"alg": "RS256", "typ": "JWT", "kid": "k1"}
        signed = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
        signature = (key or self.key).sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{encoded(signature)}"


@pytest.fixture(scope="module")
def issuer():
    return Issuer()


@pytest.fixture(autouse=True)
def published(issuer, monkeypatch):
    """Google's address of its certificates is replaced by one that serves the issuer's."""

    class Certificates(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps({"k1": issuer.certificate}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Certificates)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/certs"
    monkeypatch.setattr(id_token, "_GOOGLE_OAUTH2_CERTS_URL", url)
    monkeypatch.setattr(id_token.verify_token, "__defaults__", (None, url, 0))
    yield
    server.shutdown()
    server.server_close()


def test_a_good_token_names_its_account(issuer):
    assert email_of(issuer.token(), AUDIENCE) == EMAIL


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://elsewhere.example"},
        {"iss": "https://issuer.example"},
        {"exp": 1_700_000_000, "iat": 1_600_000_000},
        {"email_verified": False},
        {"email_verified": "true"},
        {"email": None},
    ],
)
def test_a_token_for_another_use_is_not_good(issuer, changes):
    assert email_of(issuer.token(**changes), AUDIENCE) is None


def test_a_token_that_somebody_else_signed_is_not_good(issuer):
    forged = issuer.token(key=rsa.generate_private_key(public_exponent=65537, key_size=2048))

    assert email_of(forged, AUDIENCE) is None


@pytest.mark.parametrize("token", ["a.b.c", "..", "eyJhbGciOiJub25lIn0.e30."])
def test_what_is_no_token_is_not_good(token):
    assert email_of(token, AUDIENCE) is None


def test_a_token_whose_signature_cloud_run_took_off_counts_only_where_it_checks(issuer):
    token = f"{issuer.token().rpartition('.')[0]}.SIGNATURE_REMOVED_BY_GOOGLE"

    assert email_of(token, AUDIENCE) is None
    assert email_of(token, AUDIENCE, checked=True) == EMAIL
    assert email_of(token, "https://elsewhere.example", checked=True) is None
    assert email_of(issuer.token(), AUDIENCE, checked=True) == EMAIL
