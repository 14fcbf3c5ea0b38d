"""Who may do what: accounts with roles, sessions, bearer tokens, and the gate that every request passes."""

from __future__ import annotations

from levo.satellite.access.gate import Gate, Identity, identity_of
from levo.satellite.access.keeper import Keeper, LoginRefused, Role
from levo.satellite.access.passwords import PasswordRefused, PasswordsBusy

__all__ = [
    "Gate",
    "Identity",
    "Keeper",
    "LoginRefused",
    "PasswordRefused",
    "PasswordsBusy",
    "Role",
    "identity_of",
]
