"""Names out of ARNs. Users are shown names; ARNs go to the API."""

from __future__ import annotations


def last_part(arn: str) -> str:
    """``prod`` of ``arn:aws:ecs:eu-west-1:123456789012:cluster/prod``; a plain name is its own."""
    return arn.rpartition("/")[2]


def definition_name(arn: str) -> str:
    """``web:7`` of ``arn:aws:ecs:eu-west-1:123456789012:task-definition/web:7``."""
    return last_part(arn)


def family_of(arn: str) -> str:
    """``web`` of a task definition's ARN or of ``web:7``."""
    return definition_name(arn).partition(":")[0]


def region_of(arn: str) -> str | None:
    """The region of an ARN; None for a plain name."""
    parts = arn.split(":")
    return parts[3] or None if len(parts) >= 6 and parts[0] == "arn" else None
