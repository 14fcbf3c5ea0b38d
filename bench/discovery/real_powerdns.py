"""Drive a PowerDNS server's API (Debian: ``pdns-server pdns-backend-sqlite3``) and score what is learned.

Usage: ``python bench/discovery/real_powerdns.py [SEED]``. Ids are zone names, so nothing looks like an id.
"""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))

from discovery.real import Caller, compare, free_port, fuzzed_requests, operations_of, wait_for
from discovery.watch import Watch

SCHEMA = Path("/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql")
SCHEMA_ELSEWHERE = Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql")
API = "/api/v1/servers/localhost"


def main() -> None:
    """Start, drive, score, stop."""
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "pdns.sqlite3"
        schema = SCHEMA if SCHEMA.exists() else SCHEMA_ELSEWHERE
        with sqlite3.connect(database) as connection:
            connection.executescript(schema.read_text())
        database.chmod(0o666)
        Path(folder).chmod(0o777)
        port, dns = free_port(), free_port()
        server = subprocess.Popen(
            [
                "pdns_server", "--daemon=no", "--guardian=no", "--config-dir=" + folder, "--socket-dir=" + folder,  # noqa: E501
                "--launch=gsqlite3", f"--gsqlite3-database={database}", "--gsqlite3-dnssec=yes", "--api=yes",
                "--api-key=bench", "--webserver=yes", "--webserver-address=127.0.0.1",
                f"--webserver-port={port}", f"--local-port={dns}", "--local-address=127.0.0.1",
                "--default-soa-content=a.example. b.example. 0 10800 3600 604800 3600", "--primary=yes",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            wait_for(port)
            caller = Caller(port, {"X-API-Key": "bench"})
            status, content = caller.call("GET", "/api/docs")
            if status != 200:
                raise SystemExit(f"/api/docs answered {status}")
            caller.calls.clear()
            document = yaml.safe_load(content)
            caller.fuzzed = fuzzed_requests(document, seed, document.get("basePath", "/api/v1"))
            with Watch(port, Path(folder), free_port()) as watch:
                drive(caller, seed)
            operations = operations_of(document, document.get("basePath", "/api/v1"))
            compare("PowerDNS", operations, caller.calls, frozenset(), watch.traces())
        finally:
            server.terminate()
            server.wait(10)


def drive(caller: Caller, seed: int) -> None:  # noqa: C901, PLR0912, PLR0915 (one branch for each request that a client makes)
    """Create, read, change and delete what the API offers, in random order, with noise."""
    rng = random.Random(seed)
    call = caller.call
    words = Path("/usr/share/dict/words").read_text().split()
    names = [w.lower() for w in words if w.isascii() and w.isalpha()]
    zones = [f"{rng.choice(names)}.{rng.choice(('example', 'test', 'example.org'))}." for _ in range(60)]
    tsig: list[str] = []
    for zone in zones:
        call(
            "POST",
            f"{API}/zones",
            {"name": zone, "kind": "Native", "nameservers": ["ns1.example.", "ns2.example."]},
        )
    for name in rng.sample(names, 12):
        status, content = call("POST", f"{API}/tsigkeys", {"name": name, "algorithm": "hmac-sha256"})
        if status == 201:
            tsig.append(json.loads(content)["id"])
    keys: dict[str, list[int]] = {}
    for _ in range(700):
        zone = rng.choice(zones[: max(2, int(len(zones) * rng.random()))])
        action = rng.randrange(26)
        path = f"{API}/zones/{zone}"
        if action < 4:
            call("GET", path)
        elif action < 6:
            record = {"content": f"192.0.2.{rng.randint(1, 250)}", "disabled": False}
            change = {
                "name": f"{rng.choice(names)}.{zone}",
                "type": "A",
                "ttl": 60,
                "changetype": "REPLACE",
                "records": [record],
            }
            call("PATCH", path, {"rrsets": [change]})
        elif action == 6:
            call("PUT", path, {"kind": rng.choice(("Native", "Master"))})
        elif action == 7:
            call("PUT", path + "/rectify")
        elif action == 8:
            call("GET", path + "/export")
        elif action == 9:
            call("PUT", path + "/notify")
        elif action == 10:
            call("GET", path + "/metadata")
        elif action == 11:
            call("POST", path + "/metadata", {"kind": "ALLOW-AXFR-FROM", "metadata": ["AUTO-NS"]})
        elif action == 12:
            kind = rng.choice(("ALLOW-AXFR-FROM", "ALSO-NOTIFY", "X-OWNER", "IXFR"))
            call(
                rng.choice(("GET", "PUT", "DELETE")),
                f"{path}/metadata/{kind}",
                {"kind": kind, "metadata": ["192.0.2.1"]},
            )
        elif action == 13:
            status, content = call("POST", path + "/cryptokeys", {"keytype": "csk", "active": True})
            if status == 201:
                keys.setdefault(zone, []).append(json.loads(content)["id"])
        elif action == 14:
            call("GET", path + "/cryptokeys")
        elif action == 15 and keys:
            owner = rng.choice(sorted(keys))
            number = rng.choice(keys[owner])
            method = rng.choice(("GET", "PUT", "GET", "DELETE"))
            call(
                method,
                f"{API}/zones/{owner}/cryptokeys/{number}",
                {"active": True} if method == "PUT" else None,
            )
        elif action == 16:
            call("GET", f"{API}/zones")
        elif action == 17:
            call("GET", f"{API}/tsigkeys")
        elif action == 18 and tsig:
            call(
                rng.choice(("GET", "PUT")), f"{API}/tsigkeys/{rng.choice(tsig)}", {"algorithm": "hmac-sha512"}
            )
        elif action == 19:
            call("GET", f"{API}/search-data?q=*{rng.choice(names)[:3]}*&max=10")
        elif action == 20:
            call("GET", f"{API}/statistics")
        elif action == 21:
            call("PUT", f"{API}/cache/flush?domain={zone}")
        elif action == 22:
            call("GET", f"{API}/config")
        elif action == 23:
            call("GET", rng.choice(("/api/v1/servers", API)))
        elif action == 24:
            caller.noise(rng, [f"{API}/zones", f"{API}/tsigkeys", path, API], 6)
        elif rng.random() < 0.2 and len(zones) > 10:
            call("DELETE", f"{API}/zones/{zones.pop()}")
    for name in tsig[:3]:
        call("DELETE", f"{API}/tsigkeys/{name}")


if __name__ == "__main__":
    main()
