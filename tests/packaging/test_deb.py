"""The Debian packages on a booted machine: the service's whole life, as in docs/host-service.md."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging.booted import PATH, Machine, booted, missing_reason, root_archive
from tests.packaging.packages import CONFIG, NGINX, SENSOR

REASON = missing_reason()
pytestmark = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.timeout(2700),
    pytest.mark.skipif(REASON is not None, reason=REASON or ""),
]

EM_BPF = 247
"""``e_machine`` of a program for the kernel's virtual machine (elf.h)."""
QUICK = b"LEVO_TRACE_EXPORT_INTERVAL=500ms\nLEVO_RATE_LIMIT=0\n"


@pytest.fixture(scope="module")
def machine(
    packages: dict[str, Path], newer: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    """A machine with both packages installed, a web server on port 8080, and short times for sending."""
    try:
        root_archive()
    except RuntimeError as error:
        pytest.skip(str(error))
    files: dict[str, bytes | Path] = {f"root/{name}.deb": file for name, file in packages.items()}
    files |= {f"root/{version}.deb": file for version, file in newer.items()}
    files |= {"etc/hosts": b"127.0.0.1 localhost\n", "root/nginx.conf": NGINX}
    with booted(tmp_path_factory.mktemp("machine"), files) as found:
        found.run("apt-get install -y -q /root/levo-ebpf-sensor.deb /root/levo-satellite.deb", timeout=600)
        assert found.try_run(f"systemctl is-active {SENSOR}").text == "inactive\n", (
            "begins when somebody says so"
        )
        (found.root / "etc/default" / SENSOR).write_bytes(QUICK)
        found.run("systemd-run -q --unit=web nginx -c /root/nginx.conf")
        found.wait_for("ss -Hltn | grep -q :8080")
        yield found


@pytest.fixture
def configuration(machine: Machine) -> Iterator[Path]:
    """The sensor's configuration file; put back afterwards."""
    file = machine.root / CONFIG[1:]
    before = file.read_text()
    yield file
    file.write_text(before)


def get(machine: Machine, path: str) -> None:
    machine.run(
        f"/usr/bin/python3 -c \"import urllib.request as u; u.urlopen('http://127.0.0.1:8080{path}').read()\""
    )


def paths(machine: Machine, port: int = 9999) -> set[str]:
    """The paths of the Satellite's catalog."""
    return {each["path"] for each in machine.json(f"http://127.0.0.1:{port}/api/endpoints")["endpoints"]}


def expect(machine: Machine, path: str, port: int = 9999, seconds: float = 120) -> None:
    machine.wait(f"{path} in the catalog", lambda: path in paths(machine, port), seconds=seconds)


def main_pid(machine: Machine) -> int:
    return int(machine.property(SENSOR, "MainPID"))


def test_service_commands(machine: Machine) -> None:
    machine.run(f"systemctl start {SENSOR}")
    status = machine.run(f"systemctl status --no-pager {SENSOR}")
    assert "active (running)" in status and "capturing on lo" in status
    first = main_pid(machine)
    machine.run(f"systemctl restart {SENSOR}")
    assert main_pid(machine) not in (0, first)
    machine.run(f"systemctl enable {SENSOR}")
    assert machine.run(f"systemctl is-enabled {SENSOR}").strip() == "enabled"
    machine.run(f"systemctl stop {SENSOR}")
    stopped = machine.try_run(f"systemctl status --no-pager {SENSOR}")
    assert stopped.status == 3 and "inactive (dead)" in stopped.text
    assert machine.property(SENSOR, "ExecMainStatus") == "0"
    machine.until_logged(SENSOR, "capturing on lo")
    machine.until_logged(SENSOR, "balance: all")
    machine.wait_for(f"cat /var/log/syslog | grep '{SENSOR}' | grep -q 'balance: all'")


def test_runs_without_privileges(machine: Machine) -> None:
    machine.run(f"systemctl start {SENSOR}")
    status = dict(
        line.split(":\t", 1) for line in machine.run(f"cat /proc/{main_pid(machine)}/status").splitlines()
    )
    user = machine.run("id -u levo-sensor").strip()
    assert status["Uid"].split() == [user] * 4 and user != "0"
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 1 << 13, "CAP_NET_RAW alone"
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    machine.until_logged(SENSOR, "with CAP_NET_RAW alone, system calls filtered")


def test_default_configuration_finds_a_local_satellite(machine: Machine) -> None:
    assert "collector-endpoint: localhost:4317\n" in machine.run(f"cat {CONFIG}")
    machine.run(f"systemctl restart {SENSOR}")
    get(machine, "/by-default")
    expect(machine, "/by-default")


def test_edited_endpoint(machine: Machine, configuration: Path) -> None:
    machine.run(
        "systemd-run -q --unit=other-satellite /usr/bin/levo-satellite --data-dir /root/other"
        " --listen 127.0.0.1:19999 --otlp-grpc 127.0.0.1:14317 --otlp-http 127.0.0.1:14318"
    )
    machine.wait_for("ss -Hltn | grep -q :14317")
    endpoint = "collector-endpoint: localhost:4317"
    configuration.write_text(
        configuration.read_text().replace(endpoint, "collector-endpoint: 127.0.0.1:14317")
    )
    machine.run(f"systemctl restart {SENSOR}")
    get(machine, "/to-the-other")
    expect(machine, "/to-the-other", 19999)
    machine.run("systemctl stop other-satellite")
    assert "/to-the-other" not in paths(machine)


def test_reload_keeps_the_capture(machine: Machine, configuration: Path) -> None:
    machine.run(f"systemctl restart {SENSOR}")
    before = main_pid(machine)
    get(machine, "/kept/before")
    configuration.write_text(configuration.read_text() + "\npath-exclusions:\n  - ^/left-out\n")
    machine.run(f"systemctl reload {SENSOR}")
    machine.until_logged(SENSOR, "changed: path-exclusions")
    get(machine, "/left-out")
    get(machine, "/kept/after")
    expect(machine, "/kept/after")
    assert "/kept/before" in paths(machine) and "/left-out" not in paths(machine)
    assert main_pid(machine) == before


def test_broken_configuration_fails_once_and_says_why(machine: Machine, configuration: Path) -> None:
    machine.run(f"systemctl stop {SENSOR}")
    good = configuration.read_text()
    configuration.write_text(good + "\ncolector-endpoint: localhost:1\n")
    assert machine.try_run(f"systemctl start {SENSOR}").status == 1
    status = machine.try_run(f"systemctl status --no-pager {SENSOR}").text
    line = len(good.splitlines()) + 2
    assert re.search(rf"{CONFIG}:{line}:1: .*colector-endpoint", status), status
    assert "status=2" in status
    assert machine.property(SENSOR, "NRestarts") == "0"
    assert machine.property(SENSOR, "ActiveState") == "failed"
    configuration.write_text(good)
    machine.run(f"systemctl start {SENSOR}")


def test_satellite_that_is_down_is_no_error(machine: Machine) -> None:
    machine.run("systemctl stop levo-satellite")
    machine.run(f"systemctl restart {SENSOR}")
    get(machine, "/while-down")
    machine.until_logged(SENSOR, "capture goes on")
    assert machine.property(SENSOR, "ActiveState") == "active"
    machine.run("systemctl start levo-satellite")
    expect(machine, "/while-down")


def test_killed_under_load_delivers_its_spool(machine: Machine) -> None:
    machine.run("systemctl stop levo-satellite")
    machine.run(f"systemctl restart {SENSOR}")
    spool = machine.root / "var/lib/levo-sensor/spool"

    def spooled() -> int:
        return sum(f.stat().st_size for f in spool.rglob("*") if f.is_file())

    held = spooled()  # of earlier tests
    get(machine, "/before-the-kill")
    machine.run("systemd-run -q --unit=load wrk -t1 -c4 -d5s http://127.0.0.1:8080/load")
    machine.wait("traces in the spool", lambda: spooled() > held)
    time.sleep(1)  # two intervals: what a kill may lose is the last one
    restarts = int(machine.property(SENSOR, "NRestarts"))
    before = main_pid(machine)
    machine.run(f"kill -9 {before}")
    machine.wait("started again", lambda: main_pid(machine) not in (0, before))
    assert int(machine.property(SENSOR, "NRestarts")) == restarts + 1
    machine.run("systemctl start levo-satellite")
    expect(machine, "/before-the-kill")
    get(machine, "/after-the-kill")
    expect(machine, "/after-the-kill")


def test_watchdog_restarts_a_sensor_that_hangs(machine: Machine) -> None:
    folder = f"/run/systemd/system/{SENSOR}.service.d"
    unit = r"[Service]\nWatchdogSec=6\nTimeoutAbortSec=1\nRestartSec=100ms\n"
    machine.run(f"mkdir -p {folder} && printf '{unit}' > {folder}/quick.conf && systemctl daemon-reload")
    machine.run(f"systemctl restart {SENSOR}")
    before = main_pid(machine)
    machine.run(f"kill -STOP {before}")
    machine.wait("started again", lambda: main_pid(machine) not in (0, before))
    machine.wait_for(f"journalctl -u {SENSOR} -b --no-pager -n 60 | grep -qF 'Watchdog timeout'")
    machine.run(f"rm -r {folder} && systemctl daemon-reload")
    machine.run(f"systemctl restart {SENSOR}")


IMPORT_ALL = """
import importlib, pkgutil, sys
sys.path[:0] = sys.argv[1:]
import levo
for module in pkgutil.walk_packages(levo.__path__, "levo."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


@pytest.mark.parametrize(
    ("package", "lacks"), [("sensor", ("satellite", "ecs", "demo")), ("satellite", ("engine", "tlsprobe"))]
)
def test_packages_have_what_their_modules_import(
    machine: Machine, package: str, lacks: tuple[str, ...]
) -> None:
    home = f"/usr/lib/levo-{package}"
    machine.run(f"/usr/bin/python3 -IBc '{IMPORT_ALL}' {home} {home}/vendor")
    for part in lacks:
        assert not (machine.root / f"{home[1:]}/levo/{part}").exists()


def test_probe_of_tls_is_in_the_package(machine: Machine) -> None:
    program = (machine.root / "usr/lib/levo-sensor/levo/tlsprobe/secrets.bpf.o").read_bytes()
    assert program[:4] == b"\x7fELF" and int.from_bytes(program[18:20], "little") == EM_BPF
    assert machine.property("levo-tls-probe", "UnitFileState") == "disabled"
    assert "--deny" in machine.run("/usr/bin/levo tls probe --help")


def test_units_are_valid_and_hardened(machine: Machine) -> None:
    units = ("levo-ebpf-sensor.service", "levo-tls-probe.service", "levo-satellite.service")
    assert all(machine.run(f"systemd-analyze verify {unit}") == "" for unit in units)
    for unit in (f"{SENSOR}.service", "levo-satellite.service"):
        level = re.search(
            r"Overall exposure level for \S+: ([\d.]+)", machine.run(f"systemd-analyze security {unit}")
        )
        assert level and float(level[1]) <= 3.0


def test_manual_and_completion(machine: Machine) -> None:
    for page in ("levo", "levo-apidump", "levo-config", "levo-satellite"):
        assert "EXIT STATUS" in machine.run(f"man -P cat {page}")
    assert "--rate-limit" in machine.run("man -P cat levo-apidump").replace("\u2010", "-")
    asked = "COMP_WORDS='levo apid' COMP_CWORD=1 _LEVO_COMPLETE=bash_complete levo"
    assert machine.run(asked).strip() == "plain,apidump"
    assert "complete" in machine.run(
        "bash -c '. /usr/share/bash-completion/completions/levo; complete -p levo'"
    )


def test_upgrade_keeps_an_edited_configuration(machine: Machine, configuration: Path) -> None:
    edited = configuration.read_text() + "\nlevo-env: staging\n"
    configuration.write_text(edited)
    machine.run(f"systemctl restart {SENSOR}")
    before = main_pid(machine)
    machine.run("dpkg -i /root/90.0.deb")
    assert configuration.read_text() == edited
    assert main_pid(machine) not in (0, before), "an upgrade restarts what runs"
    machine.run("dpkg --force-confold -i /root/91.0.deb")
    assert configuration.read_text() == edited
    assert "Something new" in machine.run(f"cat {CONFIG}.dpkg-dist")
    assert "environment staging" in machine.run(f"systemctl status --no-pager {SENSOR}")
    # Maintainer scripts can be run again.
    machine.run("dpkg-reconfigure levo-ebpf-sensor")
    assert machine.property(SENSOR, "ActiveState") == "active"


def test_removal_leaves_nothing(machine: Machine) -> None:
    """Last: takes the packages away."""
    machine.run(f"systemctl enable --now {SENSOR}")
    # /var/cache/man is man's own, made by reading a page.
    machine.run("apt remove -y levo-ebpf-sensor")
    assert machine.property(SENSOR, "ActiveState") == "inactive"
    assert machine.run("ls /etc/levo/sensor").splitlines()[0] == "config.yaml"
    machine.run("apt remove -y --purge levo-ebpf-sensor levo-satellite && apt clean")
    left = machine.run(
        "find / -xdev -iname '*levo*' -not -path '/proc/*' -not -path '/root/*' -not -path '/run/*'"
        " -not -path '/sys/*' -not -path '/tmp/*' -not -path '/var/cache/man/*'"
    )
    assert left == ""
    assert "levo" not in machine.run("getent passwd; getent group; systemctl list-unit-files")
    assert "levo" not in machine.run("dpkg-query -W -f '${Package} ${Status}\\n'")
    machine.run(
        "apt-get install -y -q /root/levo-ebpf-sensor.deb && systemctl start levo-ebpf-sensor", timeout=120
    )


@pytest.mark.skipif(shutil.which("lintian", path=PATH) is None, reason="not installed: lintian")
def test_lintian_has_no_errors(packages: dict[str, Path]) -> None:
    done = subprocess.run(
        ["lintian", "--allow-root", "--fail-on", "error,warning", *packages.values()],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
