"""CPUQuota and MemoryMax of the service hold beside a web server at full speed; what is lost is counted."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.packaging.booted import booted_with_limits, limits_missing_reason
from tests.packaging.packages import NGINX, SENSOR

REASON = limits_missing_reason()
pytestmark = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.timeout(2700),
    pytest.mark.skipif(REASON is not None, reason=REASON or ""),
]

QUOTA, MEBIBYTES, SECONDS = 0.25, 200, 8
DROP_IN = f"[Service]\nCPUQuota={QUOTA:.0%}\nMemoryMax={MEBIBYTES}M\n"


def test_limits_hold_under_load(packages: dict[str, Path], tmp_path: Path) -> None:
    files: dict[str, bytes | Path] = {f"root/{name}.deb": file for name, file in packages.items()}
    files |= {
        "etc/hosts": b"127.0.0.1 localhost\n",
        "root/nginx.conf": NGINX,
        f"etc/systemd/system/{SENSOR}.service.d/limits.conf": DROP_IN.encode(),
    }
    with booted_with_limits(tmp_path, files) as machine:
        machine.run("apt-get install -y -q /root/levo-ebpf-sensor.deb /root/levo-satellite.deb", timeout=600)
        (machine.root / "etc/default" / SENSOR).write_text(
            "LEVO_RATE_LIMIT=0\nLEVO_TRACE_EXPORT_INTERVAL=1s\n"
        )
        machine.run(f"systemctl start {SENSOR}")
        machine.run("systemd-run -q --unit=web nginx -c /root/nginx.conf")
        machine.wait_for("ss -Hltn | grep -q :8080")
        quotas = machine.run(
            f"cat /sys/fs/cgroup/cpu*/system.slice/{SENSOR}.service/cpu.cfs_quota_us"
        ).split()
        assert {int(quota) for quota in quotas} == {QUOTA * 100_000}
        pid = machine.property(SENSOR, "MainPID")

        def used_s() -> float:
            fields = machine.run(f"cat /proc/{pid}/stat").rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / 100

        before, started = used_s(), time.monotonic()
        report = machine.run(f"wrk -t1 -c16 -d{SECONDS}s http://127.0.0.1:8080/busy")
        share = (used_s() - before) / (time.monotonic() - started)
        assert share <= QUOTA * 1.2, "CPUQuota"
        group = f"/sys/fs/cgroup/memory/system.slice/{SENSOR}.service"
        peak = int(machine.run(f"cat {group}/memory.max_usage_in_bytes"))
        assert int(machine.run(f"cat {group}/memory.limit_in_bytes")) == MEBIBYTES << 20
        assert peak <= MEBIBYTES << 20, "MemoryMax"
        assert machine.property(SENSOR, "NRestarts") == "0"
        assert machine.property(SENSOR, "ActiveState") == "active"
        machine.run(f"systemctl stop {SENSOR}")
        assert machine.property(SENSOR, "ExecMainStatus") == "0"
        journal = f"journalctl -u {SENSOR} -b --no-pager"
        machine.wait_for(f"{journal} | grep -qF 'balance: all'")
        logged = machine.run(journal)
        exchanges = re.search(r"exchanges: ([\d,]+) exchanges", logged)
        assert exchanges and int(exchanges[1].replace(",", "")) > 0
        requests = re.search(r"(\d+) requests in", report)
        assert requests
        print(f"{share:.0%} of a core, {peak >> 20} MiB, {requests[1]} requests; {exchanges[0]}")
