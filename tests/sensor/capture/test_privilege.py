"""Where a capture is refused, the remedy fits the place."""

from __future__ import annotations

import pytest

from levo.sensor.capture.privilege import missing_privilege


@pytest.mark.parametrize(
    ("environment", "marker", "says"),
    [
        ({"ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/x"}, None, "linuxParameters"),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, None, "securityContext"),
        ({}, ".dockerenv", "--cap-add NET_RAW"),
        ({}, "run/.containerenv", "--cap-add NET_RAW"),
        ({"container": "podman"}, None, "--cap-add NET_RAW"),
        ({"INVOCATION_ID": "x"}, None, "AmbientCapabilities=CAP_NET_RAW"),
        ({}, None, "setcap cap_net_raw+ep"),
    ],
)
def test_the_remedy_fits_the_place(tmp_path, environment, marker, says):
    if marker is not None:
        (tmp_path / marker).parent.mkdir(exist_ok=True)
        (tmp_path / marker).touch()
    line = missing_privilege("eth0", environment, tmp_path)

    assert says in line
    assert line.startswith("capturing on 'eth0' needs the privilege CAP_NET_RAW: ")
    assert "\n" not in line
