"""Check the URLs of webhooks and sign their messages, by Standard Webhooks 1.0.0.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple
from urllib.parse import urlsplit

_SECRET_PREFIX = "whsec_"  # noqa: S105 - what secrets begin with, none itself
_FEWEST_BYTES, _MOST_BYTES, _NEW_BYTES = 24, 64, 32

_LONGEST_URL = 2048
_VISIBLE = re.compile(r"[!-~]+")
# At least two labels, the last of which begins with a letter, so that no IP address in any notation matches.
_NAME = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_HTTPS_PORT, _HTTP_PORT = 443, 80
_FIRST_FREE_PORT = 1024

_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052
_UNICAST = ip_network("2000::/3")
# The special-purpose registries of IANA (RFC 6890 and 9637) and multicast. They are listed here since
# `is_global` of the ipaddress module accepts some of them, others depending on Python's version; it is also
# checked, for later registrations.
_NOT_PUBLIC = tuple(
    map(
        ip_network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
            *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
            # Teredo and other protocols; documentation; 6to4, which may contain any IPv4 address.
            *("2001::/23", "2001:db8::/32", "3fff::/20", "2002::/16"),
        ),
    )
)


class ForbiddenUrlError(ValueError):
    """A URL that webhooks must not use; the message says why, and never contains the URL."""


class Target(NamedTuple):
    """The destination of a webhook.

    Attributes:
        secure: Whether TLS is used; only a loopback target may do without.
        host: A name in lower case; a loopback target may have an address.
        port: 443, or 1024 and above.
        path: Path and query, as they are sent.
    """

    secure: bool
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The Host header; IPv6 addresses are in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (_HTTPS_PORT if self.secure else _HTTP_PORT) else f"{host}:{self.port}"


def read_url(url: str, *, allow_private: bool = False) -> Target:
    """Parse a URL and check its form. Its addresses are checked when it is called (``is_public``).

    Args:
        url: As an administrator wrote it.
        allow_private: Whether plain HTTP and addresses of this machine itself are allowed; for tests.

    Raises:
        ForbiddenUrlError: It is not ``https://name.domain[:port]/path``.
    """
    if len(url) > _LONGEST_URL or not _VISIBLE.fullmatch(url):
        raise ForbiddenUrlError(
            f"a webhook's URL has at most {_LONGEST_URL} visible ASCII characters; write other names as xn--…"
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ForbiddenUrlError("a webhook's URL must be https://name.domain/path") from error
    if "@" in parts.netloc:
        raise ForbiddenUrlError("a webhook's URL must not contain a user name or password")
    local = allow_private and host in _LOOPBACK
    if parts.scheme != "https" and not (local and parts.scheme == "http"):
        raise ForbiddenUrlError("a webhook's URL must begin with https://")
    if not local and not _NAME.fullmatch(host):
        raise ForbiddenUrlError("a webhook's host must be a full domain name, such as hooks.example.com")
    secure = parts.scheme == "https"
    if port is None:
        port = _HTTPS_PORT if secure else _HTTP_PORT
    if not (port in {_HTTPS_PORT, _HTTP_PORT if local else _HTTPS_PORT} or port >= _FIRST_FREE_PORT):
        raise ForbiddenUrlError(f"a webhook's port must be {_HTTPS_PORT}, or {_FIRST_FREE_PORT} or above")
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return Target(secure, host, port, path)


def is_public(address: str) -> bool:
    """Return True if an address is on the public internet.

    An IPv4 address inside an IPv6 one (mapped, or NAT64) counts as itself.

    Args:
        address: As getaddrinfo gives it; a zone (``%eth0``) is not part of a public address.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        inner = ip.ipv4_mapped or (IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None)
        if inner is not None:
            ip = inner
        elif ip not in _UNICAST or ip.scope_id:
            return False
    return ip.is_global and not any(ip in network for network in _NOT_PUBLIC)


def is_loopback(address: str) -> bool:
    """Return True if an address is this machine's own."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def new_secret() -> str:
    """Make a secret of 256 random bits for a webhook that was given none."""
    return _SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_NEW_BYTES)).decode()


def read_secret(secret: str) -> bytes:
    """Decode a secret to its bytes.

    Raises:
        ValueError: It is not ``whsec_`` and 24 to 64 bytes in base64; the message does not repeat it.
    """
    encoded = secret.removeprefix(_SECRET_PREFIX)
    try:
        # Some write base64 without padding; superfluous padding does no harm.
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if encoded == secret or not _FEWEST_BYTES <= len(raw) <= _MOST_BYTES:
        raise ValueError(
            f"a webhook's secret is {_SECRET_PREFIX} and {_FEWEST_BYTES} to {_MOST_BYTES} bytes in base64"
        )
    return raw


def signed_headers(secret: str, event_id: str, sent: datetime, body: bytes) -> Mapping[str, str]:
    """Return the signed headers of one attempt.

    Args:
        secret: As ``read_secret`` accepts it.
        event_id: The same for all attempts, so that receivers can recognize repetitions; without a full stop.
        sent: When this attempt is made.
        body: The body, byte for byte as it is sent.

    Raises:
        ValueError: The secret is not valid.
    """
    timestamp = int(sent.timestamp())
    signed = b".".join((event_id.encode(), str(timestamp).encode(), body))
    signature = base64.b64encode(hmac.digest(read_secret(secret), signed, hashlib.sha256)).decode()
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }
