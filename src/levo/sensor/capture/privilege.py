"""What to do when the kernel refuses a capture socket."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_ECS_VARIABLES = ("ECS_CONTAINER_METADATA_URI_V4", "ECS_CONTAINER_METADATA_URI")


def how_to_grant(environment: Mapping[str, str], root: Path = Path("/")) -> str:
    """One line: how CAP_NET_RAW is granted to a process with this *environment* on this file system."""
    if any(name in environment for name in _ECS_VARIABLES):
        return (
            'in the ECS container definition run as root ("user": "0") and do not drop NET_RAW '
            "(linuxParameters.capabilities.drop); Fargate grants it by default"
        )
    if "KUBERNETES_SERVICE_HOST" in environment:
        return "in the container's securityContext set runAsUser: 0 and capabilities.add: [NET_RAW]"
    if (root / ".dockerenv").exists() or (root / "run/.containerenv").exists() or "container" in environment:
        return "start the container as root with --cap-add NET_RAW"
    if "INVOCATION_ID" in environment:
        return "in the systemd unit set AmbientCapabilities=CAP_NET_RAW"
    return (
        "run it with sudo, in a container with --cap-add NET_RAW, from a systemd unit with "
        "AmbientCapabilities=CAP_NET_RAW, or once setcap cap_net_raw+ep on a copy of its Python interpreter"
    )


def missing_privilege(interface: str, environment: Mapping[str, str], root: Path = Path("/")) -> str:
    """The line for a capture that was refused on *interface*."""
    grant = how_to_grant(environment, root)
    return f"capturing on {interface!r} needs the privilege CAP_NET_RAW: {grant}"
