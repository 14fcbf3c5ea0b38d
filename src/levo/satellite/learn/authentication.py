"""What counts of answers say about who may call an endpoint."""

from __future__ import annotations

from enum import StrEnum

from levo.satellite.learn.access import DENIED, SUCCESS, Access


class Authentication(StrEnum):
    """What traffic says about who may call an endpoint."""

    REQUIRED = "required"
    """With a credential it was answered with success, without one it was refused or never let in."""
    OPTIONAL = "optional"
    """It was answered with success with and without a credential."""
    NONE_SEEN = "none seen"
    """Every success was without a credential, and nothing was refused."""
    NOT_RECOGNIZED = "not recognized"
    """Nobody sent a credential of a known form, yet some were refused: it may be of a form of its own."""
    UNKNOWN = "unknown"
    """It was never answered with success, or not counted yet."""


def authentication_of(access: Access) -> Authentication:
    """Return what the counts say about who may call an endpoint."""
    anonymous, credential = access.anonymous[SUCCESS], access.credential[SUCCESS]
    if not anonymous and not credential:
        refused = access.anonymous[DENIED]
        return Authentication.REQUIRED if refused else Authentication.UNKNOWN
    if not anonymous:
        return Authentication.REQUIRED
    if credential:
        return Authentication.OPTIONAL
    if access.anonymous[DENIED]:
        return Authentication.NOT_RECOGNIZED
    return Authentication.NONE_SEEN
