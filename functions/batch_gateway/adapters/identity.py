"""Whose identity token it is."""

import google.auth.exceptions
import google.auth.transport.requests
from google.auth import jwt
from google.oauth2 import id_token

_REMOVED = "SIGNATURE_REMOVED_BY_GOOGLE"
_ISSUERS = frozenset({"https://accounts.google.com", "accounts.google.com"})


def email_of(token: str, audience: str, *, checked: bool = False) -> str | None:
    """The verified e-mail of the account that a Google OIDC token was made for; None if it is not good.

    Checked are the signature (by Google's public keys, which are fetched), expiry, issuer and audience:
    "Authenticating service-to-service" of Cloud Run's documentation.

    Args:
        token: A JWT.
        audience: What the token must have been made for.
        checked: Cloud Run lets no caller through whose token it has not checked. It then puts
            ``SIGNATURE_REMOVED_BY_GOOGLE`` in place of the signature, and the claims are taken as they are.
    """
    request = google.auth.transport.requests.Request()
    try:
        if checked and token.endswith(f".{_REMOVED}"):
            claims = jwt.decode(f"{token.rpartition('.')[0]}.AAAA", verify=False)
            if claims.get("aud") != audience:
                return None
        else:
            claims = id_token.verify_token(token, request, audience)
    except (ValueError, google.auth.exceptions.GoogleAuthError):
        return None
    verified = claims.get("iss") in _ISSUERS and claims.get("email_verified") is True
    return str(claims["email"]) if verified and claims.get("email") else None
