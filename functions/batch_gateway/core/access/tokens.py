"""Read the claims of Google's identity tokens (OpenID Connect), before their signatures are checked."""

import base64
import binascii
from typing import Any

import msgspec

from batch_gateway.core.json_io import UNREADABLE

UNSIGNED = ".SIGNATURE_REMOVED_BY_GOOGLE"
"""Ending of a token that Cloud Run has checked ("Authenticating service-to-service" of its documentation)."""
LEEWAY_SECONDS = 10
"""Tolerance for differences between clocks, in seconds."""
_LONGEST = 8192
_PARTS = 3
_ISSUERS = frozenset({"https://accounts.google.com", "accounts.google.com"})


class Claims(msgspec.Struct, frozen=True):
    """The claims of a token.

    Attributes:
        iss: Issuer.
        aud: Audience: the service that it was made for.
        exp: Expiry, in seconds since 1970.
        email: Address of the account that it was made for.
        email_verified: Whether the address is verified.
    """

    iss: str
    aud: str
    exp: float
    email: str
    email_verified: bool

    def is_valid(self, account: str, audience: str, now: float) -> bool:
        """Return True if the claims are an account's, for an audience, at a time (seconds since 1970)."""
        return (
            self.iss in _ISSUERS
            and self.aud == audience
            and self.exp > now - LEEWAY_SECONDS
            and self.email == account
            and self.email_verified
        )


def is_token(secret: str) -> bool:
    """Return True if a secret has the form of an identity token, which is a JWT, and not that of a key."""
    return len(secret) <= _LONGEST and secret.count(".") == _PARTS - 1


def claims_of(token: str) -> Claims | None:
    """Return the claims of a token; None if it cannot be read. They are not verified yet."""
    claims: Claims | None = _part(token, 1, Claims)
    return claims


def key_id_of(token: str) -> str | None:
    """Return the id of the key that a token claims to be signed with; None if it names none."""
    header = _part(token, 0, dict[str, Any]) or {}
    key_id = header.get("kid")
    return key_id if isinstance(key_id, str) else None


def _part(token: str, index: int, kind: Any) -> Any:
    try:
        part = token.split(".")[index]
        return msgspec.json.decode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)), type=kind)
    except (*UNREADABLE, IndexError, ValueError, binascii.Error):
        return None
