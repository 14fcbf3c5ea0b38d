"""The container image: what is in it, and that it works beside an application as it would on Fargate."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.booted import ROOT
from tests.packaging.metadata import ADDRESS, TASK_ARN
from tests.packaging.runc import DOCKER, container, unpack
from tests.system.load import answered, wrk
from tests.system.network import Namespace, loopback_namespace, missing_reason, veth_pair

REASON = missing_reason("runc", "dpkg-deb") or (
    None if Path("/usr/bin/python3.11").exists() else "the image is built from Debian 12"
)
pytestmark = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(REASON is not None, reason=REASON or ""),
]

COLLECTOR_PORT = 4318
NGINX = """
daemon off; user root; worker_processes 1; error_log /dev/null; pid {folder}/nginx.pid;
events {{ worker_connections 512; }}
http {{ access_log off; keepalive_requests 10000000;
  server {{ listen 8080; location / {{ default_type application/json; return 200 '{{"fine":true}}'; }} }} }}
"""
FETCH = (
    "import sys, urllib.request as u; sys.stdout.write(u.urlopen(sys.argv[1], timeout=10).read().decode())"
)


@pytest.fixture(scope="session")
def archive() -> Path:
    """The OCI archive: LEVO_IMAGE, or built here."""
    if "LEVO_IMAGE" in os.environ:
        return Path(os.environ["LEVO_IMAGE"])
    return build()


def build() -> Path:
    done = subprocess.run([ROOT / "packaging/image/build"], capture_output=True, text=True, timeout=800)
    assert done.returncode == 0, done.stderr[-3000:]
    return ROOT / done.stdout.splitlines()[-1].split()[0]


@pytest.fixture(scope="session")
def image(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """(its unpacked root, its configuration)."""
    folder = tmp_path_factory.mktemp("image")
    configuration = unpack(archive, folder)
    return folder / "rootfs", configuration


@contextmanager
def running(namespace: Namespace, argv: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = namespace.popen(argv, stdin=subprocess.DEVNULL, cwd=ROOT)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def until(what: str, condition: Callable[[], bool], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)


def answers(namespace: Namespace, url: str) -> bool:
    done = subprocess.run(namespace.command([sys.executable, "-c", FETCH, url]), capture_output=True)
    return done.returncode == 0


def summary(namespace: Namespace) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        namespace.run([sys.executable, "-c", FETCH, f"http://{namespace.address}:{COLLECTOR_PORT}/summary"])
    )
    return found


@contextmanager
def task(folder: Path) -> Iterator[tuple[Namespace, Namespace]]:
    """(a task's namespace with its metadata endpoint, a collector's namespace), joined."""
    with veth_pair(offloads=True) as (inside, outside):
        subprocess.run(["ip", "-n", inside.name, "addr", "add", f"{ADDRESS}/32", "dev", "lo"], check=True)
        collector = [sys.executable, "-m", "tests.packaging.collector", outside.address, str(COLLECTOR_PORT)]
        with (
            running(outside, collector),
            running(inside, [sys.executable, "-m", "tests.packaging.metadata"]),
        ):
            until("collector", lambda: answers(outside, f"http://{outside.address}:{COLLECTOR_PORT}/summary"))
            until("metadata", lambda: answers(inside, f"http://{ADDRESS}/v4/x/task"))
            yield inside, outside


@contextmanager
def application(inside: Namespace, folder: Path) -> Iterator[None]:
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX.format(folder=folder))
    with running(inside, ["nginx", "-c", str(configuration)]):
        until("nginx", lambda: answers(inside, "http://127.0.0.1:8080/ready"))
        yield


def sidecar_arguments(outside: Namespace) -> list[str]:
    """As in the container definition of ``levo ecs snippet``."""
    url = f"http://{outside.address}:{COLLECTOR_PORT}"
    return [
        "apidump", "--satellite-url", url, "--levo-env", "staging",
        "--levoai-org-id", "11111111-2222-3333-4444-555555555555", "--rate-limit", "0",
        "--trace-export-interval", "500ms", "--path-exclusions", "^/ready",
    ]  # fmt: skip


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


@pytest.mark.skipif("LEVO_IMAGE" in os.environ, reason="LEVO_IMAGE: tests an image that is already there")
def test_two_builds_are_identical(archive: Path) -> None:
    first = hashlib.sha256(archive.read_bytes()).hexdigest()
    archive.unlink()
    assert hashlib.sha256(build().read_bytes()).hexdigest() == first


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


@pytest.mark.skipif(missing_reason("nginx", "wrk") is not None, reason=missing_reason("nginx", "wrk") or "")
@pytest.mark.parametrize(("cpus", "mebibytes", "rate"), [(0.5, 512, 5000), (0.25, 200, 1000)])
def test_sidecar(
    image: tuple[Path, dict[str, Any]], tmp_path: Path, cpus: float, mebibytes: int, rate: int
) -> None:
    """Traces leave the task, with its attributes and none lost; the application comes and goes."""
    environment = [f"ECS_CONTAINER_METADATA_URI_V4=http://{ADDRESS}/v4/x", "LEVO_AWS_REGION=us-west-2"]
    with task(tmp_path) as (inside, outside):
        arguments = sidecar_arguments(outside)
        with container(
            image, tmp_path, inside, arguments, environment=environment, cpus=cpus, mebibytes=mebibytes
        ) as sidecar:
            started = time.monotonic()
            process = sidecar.start()
            until("capture", lambda: "capturing on" in sidecar.text)
            took = time.monotonic() - started
            assert process.poll() is None, sidecar.text
            user = [Path(f"/proc/{each}/status").read_text() for each in sidecar.processes()]
            assert any("Uid:\t65532\t65532\t65532\t65532" in text for text in user), "not root"
            made = 0
            for path in ("/first", "/second"):
                with application(inside, tmp_path):
                    pause = 24 * 1000 // rate  # 32 connections: more than rate, less what the answers take
                    report = wrk(
                        inside, f"http://127.0.0.1:8080{path}", seconds=5, folder=tmp_path, pause_ms=pause
                    )
                made += answered(report)
            until("all traces", lambda: summary(outside)["spans"] >= made)
            sidecar.signal("TERM")
            stopping = time.monotonic()
            assert process.wait(20) == 0
            assert time.monotonic() - stopping < 5
            text = sidecar.text
        seen = summary(outside)
    assert seen["paths"].keys() == {"/first", "/second"}
    assert made <= seen["spans"] <= made + 64, (
        "wrk leaves requests in flight when it ends; none else may be missing"
    )
    assert seen["resource"]["aws.ecs.task.arn"] == TASK_ARN
    assert seen["resource"]["cloud.region"] == "us-west-2"
    assert seen["resource"]["aws.ecs.task.family"] == "orders"
    assert '"kernel_dropped": 0' in text.replace('":0', '": 0') and "OOM" not in text
    print(f"{cpus} CPU, {mebibytes} MiB: capturing after {took:.2f} s, {made / 10:.0f} requests a second")


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
        assert process.wait(20) == 0


def children_states(parent: int) -> str:
    states = []
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        try:
            states.append(Path(f"/proc/{child}/status").read_text())
        except OSError:
            continue
    return "\n".join(states)
