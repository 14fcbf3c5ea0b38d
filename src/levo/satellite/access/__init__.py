"""Who may do what: accounts with roles, sessions, bearer tokens, and the middleware that asks for them."""

from __future__ import annotations

from levo.satellite.access.auth import Authenticator, LoginRefused, Role
from levo.satellite.access.middleware import AuthMiddleware, Identity, identity_of
from levo.satellite.access.passwords import PasswordRefused, PasswordsBusy

__all__ = [
    "AuthMiddleware",
    "Authenticator",
    "Identity",
    "LoginRefused",
    "PasswordRefused",
    "PasswordsBusy",
    "Role",
    "identity_of",
]
