"""The container image: what is in it, and that it works beside an application as it would on Fargate."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from levo.ecs.model import (
    CPU_UNITS,
    LOW_RESOURCE_CPU_UNITS,
    LOW_RESOURCE_FLAGS,
    LOW_RESOURCE_MEMORY_MIB,
    MEMORY_MIB,
    Sidecar,
    flags_from,
)
from tests.helpers.effort import long
from tests.packaging.metadata import ADDRESS, TASK_ARN
from tests.packaging.runc import DOCKER, container, every, unpack
from tests.packaging.sidecar import (
    CONNECTIONS,
    ORGANIZATION,
    Satellite,
    answered,
    answers,
    application,
    ask,
    load,
    running,
    task,
    until,
)
from tests.system.network import loopback_namespace, missing_reason

REASON = missing_reason("runc", "dpkg-deb") or (
    None if Path("/usr/bin/python3.11").exists() else "the image is built from Debian 12"
)
pytestmark = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.timeout(2700),
    pytest.mark.skipif(REASON is not None, reason=REASON or ""),
]

REGION = "us-west-2"
LOST = ("kernel_dropped", "malformed", "queue_full", "unfinished", "failed", "rejected", "spool_evicted")
"""States of the ledger that are a loss."""


@pytest.fixture(scope="session")
def image(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """(its unpacked root, its configuration)."""
    folder = tmp_path_factory.mktemp("image")
    configuration = unpack(archive, folder)
    return folder / "rootfs", configuration


def sidecar_arguments(reached: Satellite, *, low_resource: bool) -> list[str]:
    """The entry point of ``levo ecs snippet``, of its own preset; but without a limit of traces."""
    flags = {
        "satellite-url": reached.url,
        "levo-env": "staging",
        "levoai-org-id": ORGANIZATION,
        "trace-export-interval": "2s",
        **(dict(LOW_RESOURCE_FLAGS) if low_resource else {}),
        "rate-limit": "0",
        "path-exclusions": "^/ready",
    }
    return Sidecar(flags=flags_from(flags), region=REGION).container()["entryPoint"][1:]


def test_size_and_contents(archive: Path, image: tuple[Path, dict[str, Any]]) -> None:
    root, configuration = image
    files = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    assert sum(path.stat().st_size for path in files) <= 90_000_000
    assert configuration["config"]["Entrypoint"] == ["./bin/init"]
    assert (root / "app/bin/init").stat().st_mode & 0o111
    listed = json.loads((root / "usr/share/sbom/levo-sensor.cdx.json").read_text())
    assert listed["bomFormat"] == "CycloneDX" and listed["specVersion"] == "1.5"
    names = {each["name"] for each in listed["components"]}
    assert {"libc6", "libpcap0.8", "python3.11-minimal", "grpcio", "pyyaml", "click"} <= names
    notice = (root / "app/NOTICE").read_text()
    for each in listed["components"]:
        place = re.search(rf"(?m)^{re.escape(each['name'])} {re.escape(each['version'])}: /(.+)$", notice)
        assert place and (root / place[1]).exists(), each["name"]
    bundled = [folder for folder in (root / "app/vendor").glob("*.dist-info")]
    assert {folder.name.partition("-")[0] for folder in bundled} <= names
    assert len((root / "etc/ssl/certs/ca-certificates.crt").read_text().split("BEGIN")) > 100
    assert not [path for path in files if path.stat().st_mode & 0o6000], "no setuid programs"
    assert not [name for name in ("bin/sh", "usr/bin/sh", "usr/bin/apt") if (root / name).exists()]


def test_archive_is_an_oci_layout(archive: Path) -> None:
    with tarfile.open(archive) as image:
        for name in image.getnames():
            if name.startswith("blobs/sha256/"):
                file = image.extractfile(name)
                assert file is not None
                assert hashlib.sha256(file.read()).hexdigest() == name.rpartition("/")[2]
        layout = image.extractfile("oci-layout")
        assert layout is not None and json.loads(layout.read()) == {"imageLayoutVersion": "1.0.0"}


def test_init_forwards_the_status(image: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    with loopback_namespace() as alone:
        for arguments, status, said in (
            (["--version"], 0, "levo, version"),
            (["apidump", "--rate-limit", "many"], 2, "--rate-limit"),
        ):
            with container(image, tmp_path, alone, arguments) as found:
                ended, text = found.run()
            assert ended == status and said in text
            assert re.match(r"levo-init \S+: starts levo \S+ as user 65532, capture sockets allowed\n", text)


def test_without_net_raw_it_explains_itself(image: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    with loopback_namespace() as alone:
        few = DOCKER.replace("NET_RAW ", "")
        with container(image, tmp_path, alone, ["apidump"], capabilities=few) as found:
            status, text = found.run()
    assert status not in (0, 137)
    assert "not allowed (no NET_RAW)" in text
    assert re.search(r"(?m)^levo: .*CAP_NET_RAW", text) and "Traceback" not in text


MINIMAL = "NET_RAW SETUID SETGID"
"""What docs/image.md asks for."""
DOCKER_INIT = """
import os, signal, subprocess, sys
child = subprocess.Popen(sys.argv[1:])
signal.signal(signal.SIGTERM, lambda number, frame: os.kill(child.pid, number))
sys.exit(child.wait())
"""
"""Does what ``docker run --init`` puts before the entry point: passes SIGTERM on, as root."""


@pytest.mark.parametrize(
    ("capabilities", "user", "first"),
    [
        pytest.param(MINIMAL, 65532, (), id="minimal"),
        pytest.param("NET_RAW", 0, (), id="only-net-raw"),
        pytest.param("NET_RAW SETUID", 0, (), id="half-of-what-another-user-takes"),
        pytest.param(DOCKER, 65532, (), id="docker"),
        pytest.param(every(), 65532, (), id="every"),
        pytest.param(MINIMAL, 65532, ("/usr/bin/python3.11", "-Ic", DOCKER_INIT), id="docker-init"),
    ],
)
def test_sigterm_ends_it_and_delivers_what_is_held(
    image: tuple[Path, dict[str, Any]], tmp_path: Path, capabilities: str, user: int, first: tuple[str, ...]
) -> None:
    requests = 5
    server = [sys.executable, "-m", "http.server", "8080", "--directory", str(tmp_path / "served")]
    (tmp_path / "served").mkdir()
    with task(tmp_path) as (inside, reached), running(inside, server, stderr=subprocess.DEVNULL):
        until("server", lambda: answers(inside, "http://127.0.0.1:8080/"))
        # Nothing is sent within the test but for the goodbye.
        arguments = ["apidump", "--satellite-url", reached.url, "--trace-export-interval", "600s"]
        arguments += ["--levoai-org-id", ORGANIZATION, "--filter", "tcp port 8080"]
        with container(
            image,
            tmp_path,
            inside,
            arguments,
            environment=[f"LEVO_SATELLITE_TOKEN={reached.token}"],
            capabilities=capabilities,
            first=first,
        ) as found:
            process = found.start()
            until("capture", lambda: "capturing on" in found.text)
            for _ in range(requests):
                ask(inside, "http://127.0.0.1:8080/")
            [sensor] = [
                each for each in found.processes() if b"apidump" in command_line(each) and is_levo(each)
            ]
            users = re.search(r"(?m)^Uid:\t(.*)$", Path(f"/proc/{sensor}/status").read_text())
            assert users is not None and users[1].split() == [str(user)] * 4
            stopping = time.monotonic()
            found.signal("TERM")
            assert process.wait(25) == 0, found.text
            print(f"SIGTERM to end: {time.monotonic() - stopping:.2f} s")
            text = found.text
        assert "did not reach" not in text
        until("all traces", lambda: reached.traces() >= requests, pause_s=0.5)
        assert reached.traces() == requests


def test_init_holds_no_capability_and_passes_other_signals_on(
    image: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    with (
        loopback_namespace() as alone,
        container(image, tmp_path, alone, ["apidump", "--output", "null"], capabilities=MINIMAL) as found,
    ):
        process = found.start()
        until("capture", lambda: "capturing on" in found.text)
        init = next(each for each in found.processes() if b"bin/init" in command_line(each))
        status = Path(f"/proc/{init}/status").read_text()
        assert re.search(r"(?m)^CapEff:\t0+$", status) and re.search(r"(?m)^CapPrm:\t0+$", status)
        assert re.search(r"(?m)^NoNewPrivs:\t1$", status)
        sensor = next(each for each in found.processes() if is_levo(each) and each != init)
        for each in Path(f"/proc/{sensor}/task").iterdir():
            status = (each / "status").read_text()
            assert re.search(r"(?m)^CapEff:\t0+2000$", status) and re.search(r"(?m)^CapPrm:\t0+2000$", status)
            assert re.search(r"(?m)^NoNewPrivs:\t1$", status) and re.search(r"(?m)^Seccomp:\t2$", status)
        assert "system calls filtered" in found.text
        found.signal("HUP")
        until("reload", lambda: "configuration reread" in found.text)
        found.signal("INT")
        assert process.wait(25) == 0, found.text


def test_without_any_capability_it_explains_itself(
    image: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    with (
        loopback_namespace() as alone,
        container(image, tmp_path, alone, ["apidump"], capabilities="") as found,
    ):
        status, text = found.run()
    assert status not in (0, 137)
    assert "levo-init: stays user 0: " in text and "SETUID and SETGID" in text
    assert re.search(r"(?m)^levo: .*CAP_NET_RAW", text) and "Traceback" not in text


def command_line(process: int) -> bytes:
    return Path(f"/proc/{process}/cmdline").read_bytes()


def is_levo(process: int) -> bool:
    """Whether it is the sensor itself rather than what started it."""
    return b"/app/bin/levo" in command_line(process)


@pytest.mark.skipif(missing_reason("nginx", "wrk") is not None, reason=missing_reason("nginx", "wrk") or "")
@pytest.mark.parametrize("low_resource", [False, True], ids=["standard", "low-resource"])
@pytest.mark.parametrize("seconds", [4, long(20)])
def test_sidecar(
    image: tuple[Path, dict[str, Any]], tmp_path: Path, low_resource: bool, seconds: int
) -> None:
    """Every request reaches the Satellite, with the task's attributes; the application comes and goes.

    Each of the two loads lasts *seconds*. The long form asserts the rate too, which takes an idle machine.
    """
    cpus, mebibytes = (
        (LOW_RESOURCE_CPU_UNITS, LOW_RESOURCE_MEMORY_MIB) if low_resource else (CPU_UNITS, MEMORY_MIB)
    )
    rate = 1000 if low_resource else 5000
    with task(tmp_path) as (inside, reached):
        environment = [
            f"ECS_CONTAINER_METADATA_URI_V4=http://{ADDRESS}/v4/x",
            f"LEVO_AWS_REGION={REGION}",
            f"LEVO_SATELLITE_TOKEN={reached.token}",
        ]
        arguments = sidecar_arguments(reached, low_resource=low_resource)
        limits = {"cpus": cpus / 1024, "mebibytes": mebibytes}
        with container(image, tmp_path, inside, arguments, environment=environment, **limits) as sidecar:
            started = time.monotonic()
            process = sidecar.start()
            until("capture", lambda: "capturing on" in sidecar.text, pause_s=0.02)
            took = time.monotonic() - started
            assert process.poll() is None, sidecar.text
            user = [Path(f"/proc/{each}/status").read_text() for each in sidecar.processes()]
            assert any("Uid:\t65532\t65532\t65532\t65532" in text for text in user), "not root"
            rates = []
            for path in ("/first", "/second"):
                with application(inside, tmp_path):
                    rates.append(load(inside, path, rate=rate, seconds=seconds, folder=tmp_path))
            used = sidecar.used()
            # At once: what the sensor still holds must be delivered on its way out.
            stopping = time.monotonic()
            sidecar.signal("TERM")
            assert process.wait(60) == 0
            stopped = time.monotonic() - stopping
            text = sidecar.text
        made = answered(tmp_path)
        until("all traces", lambda: reached.traces() >= made.total(), 120 + 4 * seconds, pause_s=1)
        found, sensor = reached.endpoints(), reached.sensor()
    learned = sum(each["traces"] for each in found.values())
    print(
        f"{cpus / 1024} CPU, {mebibytes} MiB: capturing after {took:.2f} s; {min(rates):.0f} requests a "
        f"second or more, {made.total()} answered, {learned} learned; stopped in {stopped:.2f} s; {used}"
    )
    assert made.keys() == found.keys() == {"/first", "/second"}
    for path, requests in made.items():
        # A request that wrk breaks off at its end may be seen by the sensor and not by nginx.
        assert requests <= found[path]["traces"] <= requests + CONNECTIONS, path
        assert found[path]["count"] == found[path]["traces"], "each stands for itself alone"
        assert requests - CONNECTIONS <= found[path]["statuses"]["200"] <= requests
        assert found[path]["environment"] == "staging" and found[path]["organization"] == ORGANIZATION
    told = sensor["attributes"]
    assert (
        told["aws.ecs.task.arn"] == TASK_ARN
        and told["aws.ecs.cluster.arn"] == TASK_ARN.replace(":task/", ":cluster/").rpartition("/")[0]
    )
    assert told["cloud.region"] == REGION and told["aws.ecs.launchtype"] == "fargate"
    assert told["aws.ecs.task.family"] == "orders" and told["aws.ecs.task.revision"] == "7"
    ledgers = [json.loads(line) for line in text.splitlines() if '"balanced"' in line]
    states = {name: units for ledger in ledgers for name, units in ledger["states"].items()}
    assert len(ledgers) >= 6 and all(ledger["balanced"] for ledger in ledgers)
    assert states["exported"] == learned
    assert {name: states[name] for name in LOST} == dict.fromkeys(LOST, 0)
    if seconds >= 20:
        assert min(rates) >= 0.98 * rate, "the machine is too busy to make the load"


def test_init_reaps_what_is_left_over(image: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """A process that loses its parent becomes a child of ./bin/init, which must not keep it as a zombie."""
    with (
        loopback_namespace() as alone,
        container(image, tmp_path, alone, ["apidump", "--output", "null"]) as found,
    ):
        process = found.start()
        until("capture", lambda: "capturing on" in found.text)
        init = next(
            each for each in found.processes() if b"bin/init" in Path(f"/proc/{each}/cmdline").read_bytes()
        )
        orphan = (
            "import os, time\n"
            "if os.fork() == 0:\n"
            "    if os.fork() == 0: os._exit(0)\n"
            "    os._exit(0)\n"
            "os._exit(0)"
        )
        enter = ["nsenter", "-t", str(init), "-p", "-m", "/usr/bin/python3.11", "-c", orphan]
        subprocess.run(enter, check=True)
        until("no zombie", lambda: "(zombie)" not in children_states(init))
        found.signal("TERM")
        assert process.wait(60) == 0


def children_states(parent: int) -> str:
    states = []
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        try:
            states.append(Path(f"/proc/{child}/status").read_text())
        except OSError:
            continue
    return "\n".join(states)
