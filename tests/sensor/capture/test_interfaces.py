"""The list of interfaces agrees with iproute2."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from levo.sensor.capture.interfaces import Interface, default_interfaces, list_interfaces
from tests.helpers.links import until_links
from tests.sensor.capture.network import ip, private_network, root, veth


def test_the_list_is_that_of_iproute2():
    if shutil.which("ip") is None:
        pytest.skip("iproute2 is not installed")
    theirs = None
    while theirs != (now := iproute2s()):  # until nothing changed meanwhile: the machine is not ours alone
        theirs = now
        ours = {
            each.name: (each.index, each.up, each.loopback, sorted(map(str, each.addresses)))
            for each in list_interfaces()
        }
    assert ours == theirs


def iproute2s() -> dict[str, tuple[int, bool, bool, list[str]]]:
    listing = json.loads(subprocess.run(["ip", "-j", "address"], capture_output=True, check=True).stdout)
    return {
        each["ifname"]: (
            each["ifindex"],
            "UP" in each["flags"],
            "LOOPBACK" in each["flags"],
            sorted(info["local"] for info in each["addr_info"]),
        )
        for each in listing
    }


@pytest.mark.root
@root
@private_network
def test_the_namespace_of_the_calling_thread_is_listed():
    veth()
    ip("address", "add", "10.99.0.1/24", "dev", "left0")
    ip("link", "set", "right0", "down")
    until_links("LOWERLAYERDOWN", "left0")
    found = {each.name: each for each in list_interfaces()}

    assert set(found) == {"lo", "left0", "right0"}
    assert [str(each) for each in found["left0"].addresses] == ["10.99.0.1"]
    assert (found["left0"].up, found["left0"].running, found["right0"].up) == (True, False, False)
    assert default_interfaces(list_interfaces()) == ["lo", "left0"]


def test_devices_that_carry_no_ip_are_not_readable():
    can = Interface("can0", 9, up=True, running=True, loopback=False, hardware_type=280)
    tun = Interface("tun0", 9, up=True, running=True, loopback=False, hardware_type=65534)

    assert (can.readable, tun.readable) == (False, True)
