"""How a request proves who it comes from: recognized from masked credentials, never kept."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from functools import lru_cache

import orjson

from levo.satellite.learn.schema.text import is_name

_JWT = re.compile(r"(eyJ[A-Za-z0-9_-]{8,})\.(eyJ[A-Za-z0-9_-]{4,})\.")
_KEY_HEADER = re.compile(
    r"(?:x-)?(?:[a-z]+-)?(?:api-?key|api-?token|access-?token|auth-?token|auth-?key|app-?key|session-?(?:token|id|key)|subscription-key|secret)"
    r"|x-auth|x-token|private-token|apikey"
)
_KEY_PARAMETER = re.compile(
    r"(?:api_?key|access_?token|auth_?token|token|sig|signature|key|apikey)", re.IGNORECASE
)
_SESSION_COOKIE = re.compile(
    r"(?:.*sess(?:ion)?(?:_?id)?|(?:connect\.)?sid|phpsessid|auth.*|.*_?token|jwt|remember_.*)", re.IGNORECASE
)
_SCHEMES = frozenset(
    [
        "basic",
        "bearer",
        "digest",
        "negotiate",
        "ntlm",
        "hoba",
        "mutual",
        "oauth",
        "dpop",
        "gnap",
        "aws4-hmac-sha256",
        "apikey",
        "token",
    ]
)
_ALGORITHMS = frozenset(
    [
        "HS256",
        "HS384",
        "HS512",
        "RS256",
        "RS384",
        "RS512",
        "ES256",
        "ES384",
        "ES512",
        "PS256",
        "PS384",
        "PS512",
        "EdDSA",
        "none",
    ]
)
_ISSUERS = (
    ("cognito-idp.", "cognito"),
    (".auth0.com", "auth0"),
    (".okta.com", "okta"),
    ("accounts.google.com", "google"),
    ("securetoken.google.com", "firebase"),
    ("login.microsoftonline.com", "entra"),
    ("/realms/", "keycloak"),
)


def schemes(headers: Iterable[tuple[str, str]], query_names: Iterable[str]) -> str:
    """Return the authentication of one request: ``none``, or its schemes sorted and joined by ``+``.

    A scheme is ``basic``, ``bearer``, ``bearer:jwt:RS256:auth0`` (algorithm and kind of issuer, where the
    token is not masked), another name of the registry of RFC 9110 section 16.4, ``header:NAME`` or
    ``query:NAME`` for a key, or ``cookie:NAME`` for a session. *headers* are (lower-case name, value).
    """
    found: set[str] = set()
    for name, value in headers:
        if name == "authorization":
            found.add(_authorization(value))
        elif name == "cookie":
            for pair in value.split(";"):
                cookie, is_pair, _ = pair.partition("=")
                cookie = cookie.strip()
                if is_pair and is_credential_cookie(cookie):
                    found.add(f"cookie:{cookie}")
        elif "-" in name or name == "apikey":
            scheme = _field_scheme(name)
            if scheme:
                found.add(scheme)
    for name in query_names:
        if is_key_parameter(name):
            found.add(f"query:{name}")
    return "+".join(sorted(found)) or "none"


@lru_cache(maxsize=1 << 12)
def _field_scheme(name: str) -> str:
    """Return the scheme that a field of this name is, empty if none."""
    if _KEY_HEADER.fullmatch(name):
        return f"header:{name}"
    certificates = ("x-client-cert", "x-forwarded-client-cert", "x-ssl-client-cert")
    return "mutual-tls" if name in certificates else ""


@lru_cache(maxsize=1 << 12)
def is_key_parameter(name: str) -> bool:
    """Whether a parameter of this name is a key."""
    return _KEY_PARAMETER.fullmatch(name) is not None


def carries_key(name: str) -> bool:
    """Whether a header of this (lower-case) name is a credential rather than a parameter."""
    return _KEY_HEADER.fullmatch(name) is not None


def is_credential_header(name: str) -> bool:
    """Whether a header of this (lower-case) name is a credential, other than cookies."""
    return name == "authorization" or (("-" in name or name == "apikey") and _field_scheme(name) != "")


@lru_cache(maxsize=1 << 12)
def is_credential_cookie(name: str) -> bool:
    """Whether a cookie of this name is a session."""
    return is_name(name) and _SESSION_COOKIE.fullmatch(name) is not None


def _authorization(value: str) -> str:
    scheme, _, rest = value.partition(" ")
    scheme = scheme.lower()
    if scheme not in _SCHEMES:
        return "header:authorization"
    if scheme == "bearer":
        token = _JWT.match(rest)
        if token is not None:
            return _jwt(token[1], token[2])
    return scheme


def _jwt(head: str, claims: str) -> str:
    algorithm = _member(head, "alg")
    issuer = _member(claims, "iss")
    kind = next((name for part, name in _ISSUERS if part in issuer), "other" if issuer else "")
    parts = ["bearer:jwt", algorithm if algorithm in _ALGORITHMS else "", kind]
    return ":".join(parts).rstrip(":")


def _member(part: str, name: str) -> str:
    try:
        found = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return str(found.get(name, "")) if isinstance(found, dict) else ""
    except ValueError:
        return ""
