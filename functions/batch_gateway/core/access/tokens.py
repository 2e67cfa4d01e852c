"""Identity tokens (OpenID Connect) of Google: what one claims, before anybody has looked at its signature."""

import base64
import binascii
from typing import Any

import msgspec

from batch_gateway.core.json_io import UNREADABLE

UNSIGNED = ".SIGNATURE_REMOVED_BY_GOOGLE"
"""How a token ends that Cloud Run has checked ("Authenticating service-to-service" of its documentation)."""
LEEWAY_SECONDS = 10
"""By which clocks may differ."""
_LONGEST = 8192
_PARTS = 3
_ISSUERS = frozenset({"https://accounts.google.com", "accounts.google.com"})


class Claims(msgspec.Struct, frozen=True):
    """What a token says.

    Attributes:
        iss: Who issued it.
        aud: What it was made for.
        exp: When it ends, in seconds since 1970.
        email: Of the account that it was made for.
        email_verified: Whether that is certain.
    """

    iss: str
    aud: str
    exp: float
    email: str
    email_verified: bool

    def is_good(self, account: str, audience: str, now: float) -> bool:
        """Whether these are the claims of an account, for an audience, at a time (seconds since 1970)."""
        return (
            self.iss in _ISSUERS
            and self.aud == audience
            and self.exp > now - LEEWAY_SECONDS
            and self.email == account
            and self.email_verified
        )


def is_token(secret: str) -> bool:
    """Whether a secret has the form of an identity token, which is a JWT, rather than that of a key."""
    return len(secret) <= _LONGEST and secret.count(".") == _PARTS - 1


def claims_of(token: str) -> Claims | None:
    """Return what a token claims; None if it cannot be read. Nothing says yet that it is true."""
    claims: Claims | None = _part(token, 1, Claims)
    return claims


def key_id_of(token: str) -> str | None:
    """Return the id of the key that a token says it is signed with; None if it does not say."""
    header = _part(token, 0, dict[str, Any]) or {}
    key_id = header.get("kid")
    return key_id if isinstance(key_id, str) else None


def _part(token: str, index: int, kind: Any) -> Any:
    try:
        part = token.split(".")[index]
        return msgspec.json.decode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)), type=kind)
    except (*UNREADABLE, IndexError, ValueError, binascii.Error):
        return None
