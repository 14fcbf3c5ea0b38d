"""Drive a jupyter-server (PyPI ``jupyter-server`` 2.21.1) and score what is learned.

Usage: ``python bench/discovery/real_jupyter.py VENV_DIRECTORY [SEED]``. The path of a file spans segments.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))

from discovery.real import Caller, compare, free_port, fuzzed_requests, operations_of, wait_for
from discovery.watch import Watch


def main() -> None:
    """Start, drive, score, stop."""
    environment = Path(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    description = next(environment.glob("lib/python3*/site-packages/jupyter_server/services/api/api.yaml"))
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        server = subprocess.Popen(
            [
                str(environment / "bin/jupyter-server"), "--no-browser", "--allow-root", f"--ServerApp.port={port}",  # noqa: E501
                "--IdentityProvider.token=bench", "--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={folder}",  # noqa: E501
                "--ServerApp.disable_check_xsrf=True", "--ServerApp.terminals_enabled=True",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": folder, "JUPYTER_RUNTIME_DIR": folder, "JUPYTER_CONFIG_DIR": folder},
        )  # fmt: skip
        try:
            wait_for(port)
            caller = Caller(port, {"Authorization": "token bench"})
            document = yaml.safe_load(description.read_text())
            caller.fuzzed = fuzzed_requests(document, seed)
            with Watch(port, Path(folder), free_port()) as watch:
                drive(caller, seed)
            operations = operations_of(document, "")
            compare("jupyter-server", operations, caller.calls, frozenset({"path"}), watch.traces())
        finally:
            server.terminate()
            try:
                server.wait(15)
            except subprocess.TimeoutExpired:
                server.kill()  # it waits for a kernel of the fuzzer, which ends with it
                server.wait()


def drive(caller: Caller, seed: int) -> None:  # noqa: C901, PLR0912, PLR0915 (one branch for each request that a client makes)
    """Work with files at several depths, sessions, kernels, terminals, with noise."""
    rng = random.Random(seed)
    call = caller.call
    words = [
        w.lower() for w in Path("/usr/share/dict/words").read_text().split() if w.isascii() and w.isalpha()
    ]
    folders = [""]
    for _ in range(14):
        parent = rng.choice(folders)
        if parent.count("/") < 4:
            name = f"{parent}/{rng.choice(words)}"
            if call("PUT", f"/api/contents{name}", {"type": "directory"})[0] == 201:
                folders.append(name)
    files: list[str] = []
    kernels: list[str] = []
    sessions: list[str] = []
    terminals: list[str] = []
    for _ in range(500):
        action = rng.randrange(24)
        if action < 3 or len(files) < 4:
            name = f"{rng.choice(folders)}/{rng.choice(words)}.{rng.choice(('ipynb', 'txt', 'csv', 'py'))}"
            content = {"type": "file", "format": "text", "content": rng.choice(words)}
            if name.endswith(".ipynb"):
                content = {
                    "type": "notebook",
                    "content": {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5},
                }  # type: ignore[dict-item]
            if call("PUT", f"/api/contents{name}", content)[0] in (200, 201):
                files.append(name)
            continue
        file = rng.choice(files)
        if action < 8:
            call("GET", f"/api/contents{rng.choice((file, file, rng.choice(folders)))}")
        elif action == 8:
            call("POST", f"/api/contents{rng.choice(folders)}", {"type": "file", "ext": ".txt"})
        elif action == 9:
            call("PATCH", f"/api/contents{file}", {"path": file.lstrip("/") + "2"})
            files.remove(file)
            files.append(file + "2")
        elif action == 10 and len(files) > 8:
            call("DELETE", f"/api/contents{file}")
            files.remove(file)
        elif action in (11, 12):
            call(rng.choice(("GET", "POST")), f"/api/contents{file}/checkpoints")
        elif action == 13:
            status, content = call("POST", f"/api/contents{file}/checkpoints")  # type: ignore[assignment]
            if status == 201:
                name = json.loads(content)["id"]  # type: ignore[arg-type]
                call("POST", f"/api/contents{file}/checkpoints/{name}")
                if rng.random() < 0.5:
                    call("DELETE", f"/api/contents{file}/checkpoints/{name}")
        elif action == 14:
            status, content = call("POST", "/api/terminals")  # type: ignore[assignment]
            if status == 200 and len(terminals) < 6:
                terminals.append(json.loads(content)["name"])  # type: ignore[arg-type]
            call("GET", "/api/terminals")
        elif action == 15 and terminals:
            call(rng.choice(("GET", "GET", "DELETE")), f"/api/terminals/{rng.choice(terminals)}")
        elif action == 16:
            call("GET", rng.choice(("/api/kernelspecs", "/api/status", "/api/me", "/api/", "/api/spec.yaml")))
        elif action == 17:
            section = rng.choice(("notebook", "tree", "terminal", "common", rng.choice(words)))
            call(rng.choice(("GET", "PATCH")), f"/api/config/{section}", {"a": 1})
        elif action == 18 and len(kernels) < 2:
            status, content = call("POST", "/api/kernels", {"name": "python3"})  # type: ignore[assignment]
            if status == 201:
                kernels.append(json.loads(content)["id"])  # type: ignore[arg-type]
        elif action == 19:
            call("GET", "/api/kernels")
            if kernels:
                kernel = rng.choice(kernels)
                call("GET", f"/api/kernels/{kernel}")
                if rng.random() < 0.3:
                    call("POST", f"/api/kernels/{kernel}/interrupt")
        elif action == 20 and len(sessions) < 3:
            status, content = call(  # type: ignore[assignment]
                "POST",
                "/api/sessions",
                {"path": file, "name": "", "type": "notebook", "kernel": {"name": "python3"}},
            )
            if status == 201:
                sessions.append(json.loads(content)["id"])  # type: ignore[arg-type]
        elif action == 21:
            call("GET", "/api/sessions")
            if sessions:
                call(rng.choice(("GET", "PATCH")), f"/api/sessions/{rng.choice(sessions)}", {"name": "x"})
        elif action == 22:
            caller.noise(rng, ["/api/kernels", "/api/sessions", "/api/status", "/api/nothing"], 6)
        else:
            call("GET", f"/api/resolvePath?path={file}")
    for session in sessions:
        call("DELETE", f"/api/sessions/{session}")
    for kernel in kernels:
        call("DELETE", f"/api/kernels/{kernel}")


if __name__ == "__main__":
    main()
