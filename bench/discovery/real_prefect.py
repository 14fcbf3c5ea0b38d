"""Drive a Prefect server (a large FastAPI application, SQLite) and score what is learned through the sensor.

Usage: ``python bench/discovery/real_prefect.py VENV_DIRECTORY [SEED]``, as root. The environment holds PyPI
``prefect`` 3.7.2 with ``fastapi<0.116`` and ``starlette<0.47``. The server needs no network.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from discovery.real import Caller, compare, free_port, fuzzed_requests, operations_of, wait_for
from discovery.traffic import english_words
from discovery.watch import Watch

STEPS = 2200
NOISE_EVERY = 0.035
STATES = ("SCHEDULED", "PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED", "PAUSED")


def main() -> None:
    """Start, watch, drive, score, stop."""
    environment = Path(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        log = (Path(folder) / "server.log").open("wb")
        server = subprocess.Popen(
            [
                str(environment / "bin/prefect"), "server", "start", "--no-services", "--host", "127.0.0.1",
                "--port", str(port),
            ],
            stdout=log,
            stderr=log,
            env={
                **os.environ, "HOME": folder, "PREFECT_HOME": folder, "PREFECT_SERVER_ANALYTICS_ENABLED": "0",
                "PREFECT_SERVER_UI_ENABLED": "0", "DO_NOT_TRACK": "1", "PREFECT_LOGGING_LEVEL": "ERROR",
            },
        )  # fmt: skip
        try:
            wait_for(port)
            caller = Caller(port, {})
            driver = Driver(caller, seed)
            document = driver.description()
            caller.fuzzed = fuzzed_requests(document, seed, "/api")
            with Watch(port, Path(folder), free_port()) as watch:
                driver.drive()
            if caller.broken:
                print(f"    {caller.broken} calls were not answered")
            compare("Prefect", operations_of(document, "/api"), caller.calls, frozenset(), watch.traces())
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
            log.close()
            if os.environ.get("BENCH_KEEP_LOG"):
                Path(os.environ["BENCH_KEEP_LOG"]).write_bytes((Path(folder) / "server.log").read_bytes())


class Driver:
    """Does what a user interface, workers and scripts of Prefect do, in random order, with noise."""

    def __init__(self, caller: Caller, seed: int) -> None:
        self._caller = caller
        self._rng = random.Random(seed)
        self._ids: dict[str, list[str]] = {}
        """Of what was made, by kind."""

    def description(self) -> dict[str, Any]:
        """Return what the server says about itself, before anybody watches."""
        _, content = self._caller.call("GET", "/openapi.json")
        document: dict[str, Any] = json.loads(content)
        document["paths"] = {path.removeprefix("/api"): item for path, item in document["paths"].items()}
        self._caller.calls.clear()
        return document

    def drive(self) -> None:
        """Work."""
        rng = self._rng
        actions: list[Callable[[], object]] = [
            getattr(self, name) for name in sorted(dir(self)) if name.startswith("do_")
        ]
        for action in (
            self.do_flow,
            self.do_flow_run,
            self.do_task_run,
            self.do_pool,
            self.do_block,
            self.do_deployment,
        ):
            for _ in range(5):
                action()
        for _ in range(STEPS):
            if rng.random() < NOISE_EVERY:
                known = [
                    "/api/flows",
                    "/api/work_pools",
                    "/api/variables/name",
                    "/api/flow_runs/filter",
                    "/api/nothing",
                ]
                self._caller.noise(rng, known, 6)
            rng.choice(actions)()

    # -- what actions are made of

    def call(self, method: str, path: str, body: object = None, keep: str = "", field: str = "id") -> Any:
        """Call; return the answer if it succeeded, else None. *keep*: the kind to keep its *field* under."""
        status, content = self._caller.call(method, "/api" + path, body)
        if not 200 <= status < 300:
            return None
        answer = json.loads(content) if content[:1] in (b"{", b"[") else {}
        if keep and isinstance(answer, dict) and answer.get(field):
            kept = self._ids.setdefault(keep, [])
            if answer[field] not in kept:
                kept.append(answer[field])
        return answer

    def any(self, kind: str) -> str:
        """Return one that was made, the older ones more often."""
        kept = self._ids.get(kind) or [str(uuid.UUID(int=self._rng.getrandbits(128), version=4))]
        return kept[int(len(kept) * self._rng.random() ** 2)]

    def drop(self, kind: str) -> str:
        """Return one that was made and forget it, as long as enough are left."""
        kept = self._ids.get(kind, [])
        return kept.pop(self._rng.randrange(len(kept))) if len(kept) > 4 else self.any(kind)

    def word(self) -> str:
        """Return a word."""
        return self._rng.choice(english_words())

    def name(self, separator: str) -> str:
        """Return one to three words."""
        return separator.join(self._rng.choices(english_words(), k=self._rng.choice((1, 2, 2, 3))))

    def one(self, *choices: Callable[[], object]) -> None:
        """Do one of *choices*."""
        self._rng.choice(choices)()

    def search(self, *paths: str) -> None:
        """Look for all there is."""
        self.call("POST", self._rng.choice(paths), {"limit": 20} if self._rng.random() < 0.5 else {})

    def span(self) -> dict[str, object]:
        """Return the last day, in steps of an hour."""
        now = datetime.now(UTC)
        return {
            "history_start": (now - timedelta(days=1)).isoformat(),
            "history_end": now.isoformat(),
            "history_interval_seconds": 3600,
        }

    def state(self) -> dict[str, object]:
        """Return a state of a run."""
        return {"state": {"type": self._rng.choice(STATES), "message": self.name(" ")}, "force": True}

    # -- actions

    def do_flow(self) -> None:
        self.call("POST", "/flows/", {"name": self.name("-"), "tags": [self.word()]}, "flow")
        flow = self.call("GET", f"/flows/{self.any('flow')}")
        if flow:
            self.call("GET", f"/flows/name/{flow['name']}")

    def do_flow_more(self) -> None:
        self.one(
            lambda: self.call("PATCH", f"/flows/{self.any('flow')}", {"tags": [self.word()]}),
            lambda: self.call("DELETE", f"/flows/{self.drop('flow')}"),
            lambda: self.search("/flows/filter", "/flows/paginate"),
            lambda: self.call("POST", "/flows/count", {}),
            lambda: self.call("POST", "/flows/bulk_delete", {"flows": {"id": {"any_": [str(uuid.uuid4())]}}}),
            lambda: self.call("POST", "/ui/flows/count-deployments", {"flow_ids": [self.any("flow")]}),
            lambda: self.call("POST", "/ui/flows/next-runs", {"flow_ids": [self.any("flow")]}),
        )

    def do_flow_run(self) -> None:
        body = {"flow_id": self.any("flow"), "name": self.name("-"), "state": {"type": "PENDING"}}
        self.call("POST", "/flow_runs/", body, "flow_run")
        run = self.any("flow_run")
        self.one(
            lambda: self.call("GET", f"/flow_runs/{run}"),
            lambda: self.call("PATCH", f"/flow_runs/{run}", {"tags": [self.word()]}),
            lambda: self.call("POST", f"/flow_runs/{run}/set_state", self.state()),
            lambda: self.call("GET", f"/flow_runs/{run}/graph"),
            lambda: self.call("GET", f"/flow_runs/{run}/graph-v2"),
            lambda: self.call("POST", f"/flow_runs/{run}/resume", {}),
            lambda: self.call("GET", f"/flow_runs/{run}/logs/download"),
            lambda: self.call("PATCH", f"/flow_runs/{run}/labels", {self.word(): self.word()}),
            lambda: self.call("DELETE", f"/flow_runs/{self.drop('flow_run')}"),
        )

    def do_flow_run_more(self) -> None:
        self.one(
            lambda: self.search("/flow_runs/filter", "/flow_runs/paginate"),
            lambda: self.call("POST", "/flow_runs/count", {}),
            lambda: self.call("POST", "/flow_runs/lateness", {}),
            lambda: self.call("POST", "/flow_runs/history", self.span()),
            lambda: self.call("POST", "/ui/flow_runs/history", {}),
            lambda: self.call(
                "POST", "/ui/flow_runs/count-task-runs", {"flow_run_ids": [self.any("flow_run")]}
            ),
            lambda: self.call(
                "POST",
                "/flow_runs/bulk_set_state",
                {"flow_runs": {"id": {"any_": [self.any("flow_run")]}}, "state": {"type": "COMPLETED"}},
            ),
            lambda: self.call(
                "POST", "/flow_runs/bulk_delete", {"flow_runs": {"id": {"any_": [str(uuid.uuid4())]}}}
            ),
        )

    def do_input(self) -> None:
        run, key = self.any("flow_run"), self.name("-")
        if (
            self.call("POST", f"/flow_runs/{run}/input", {"key": key, "value": json.dumps(self.word())})
            is not None
        ):
            self.call("GET", f"/flow_runs/{run}/input/{key}")
            self.one(
                lambda: self.call("DELETE", f"/flow_runs/{run}/input/{key}"),
                lambda: self.call("POST", f"/flow_runs/{run}/input/filter", {"prefix": key[:2]}),
            )

    def do_state(self) -> None:
        run, task = self.any("flow_run"), self.any("task_run")
        states = self.call("GET", f"/flow_run_states/?flow_run_id={run}")
        if states:
            self.call("GET", f"/flow_run_states/{states[0]['id']}")
        states = self.call("GET", f"/task_run_states/?task_run_id={task}")
        if states:
            self.call("GET", f"/task_run_states/{states[0]['id']}")

    def do_task_run(self) -> None:
        body = {
            "flow_run_id": self.any("flow_run"),
            "task_key": self.word(),
            "dynamic_key": str(uuid.uuid4()),
            "state": {"type": "PENDING"},
        }
        self.call("POST", "/task_runs/", body, "task_run")
        task = self.any("task_run")
        self.one(
            lambda: self.call("GET", f"/task_runs/{task}"),
            lambda: self.call("GET", f"/ui/task_runs/{task}"),
            lambda: self.call("PATCH", f"/task_runs/{task}", {"name": self.name("-")}),
            lambda: self.call("POST", f"/task_runs/{task}/set_state", self.state()),
            lambda: self.call("DELETE", f"/task_runs/{self.drop('task_run')}"),
        )

    def do_task_run_more(self) -> None:
        self.one(
            lambda: self.search("/task_runs/filter", "/task_runs/paginate", "/task_workers/filter"),
            lambda: self.call("POST", "/task_runs/count", {}),
            lambda: self.call("POST", "/task_runs/history", self.span()),
            lambda: self.call("POST", "/ui/task_runs/count", {}),
            lambda: self.call(
                "POST",
                "/ui/task_runs/dashboard/counts",
                {
                    "task_runs": {
                        "start_time": {"after_": (datetime.now(UTC) - timedelta(hours=4)).isoformat()}
                    }
                },
            ),
        )

    def do_deployment(self) -> None:
        body = {"name": self.name("-"), "flow_id": self.any("flow"), "tags": [self.word()]}
        made = self.call("POST", "/deployments/", body, "deployment")
        flow = self.call("GET", f"/flows/{body['flow_id']}") if made else None
        if flow and self._rng.random() < 0.7:
            self.call("GET", f"/deployments/name/{flow['name']}/{body['name']}")

    def do_deployment_more(self) -> None:
        one = self.any("deployment")
        self.one(
            lambda: self.call("GET", f"/deployments/{one}"),
            lambda: self.call("PATCH", f"/deployments/{one}", {"description": self.name(" ")}),
            lambda: self.call("DELETE", f"/deployments/{self.drop('deployment')}"),
            lambda: self.search("/deployments/filter", "/deployments/paginate"),
            lambda: self.call("POST", "/deployments/count", {}),
            lambda: self.call("POST", "/deployments/get_scheduled_flow_runs", {"deployment_ids": [one]}),
            lambda: self.call(
                "POST", "/deployments/bulk_delete", {"deployments": {"id": {"any_": [str(uuid.uuid4())]}}}
            ),
            lambda: self.call("POST", f"/deployments/{one}/schedule", {"max_runs": 1}),
            lambda: self.call(
                "POST", f"/deployments/{one}/{self._rng.choice(('resume', 'pause'))}_deployment"
            ),
            lambda: self.call(
                "POST", f"/deployments/{one}/create_flow_run", {"name": self.word()}, "flow_run"
            ),
            lambda: self.call("POST", f"/deployments/{one}/create_flow_run/bulk", [{"name": self.word()}]),
            lambda: self.call("GET", f"/deployments/{one}/work_queue_check"),
            self._schedules,
        )

    def _schedules(self) -> None:
        one = self.any("deployment")
        self.call("POST", f"/deployments/{one}/schedules", [{"schedule": {"interval": 3600}}])
        found = self.call("GET", f"/deployments/{one}/schedules")
        if found:
            path = f"/deployments/{one}/schedules/{found[0]['id']}"
            self.call("PATCH", path, {"active": False})
            self.call("DELETE", path)

    def do_search(self) -> None:
        self.call("PUT", "/saved_searches/", {"name": self.name(" "), "filters": []}, "search")
        self.one(
            lambda: self.call("GET", f"/saved_searches/{self.any('search')}"),
            lambda: self.call("DELETE", f"/saved_searches/{self.drop('search')}"),
            lambda: self.search("/saved_searches/filter"),
        )

    def do_log(self) -> None:
        entry = {
            "name": self.word(),
            "level": 20,
            "message": self.name(" "),
            "timestamp": datetime.now(UTC).isoformat(),
            "flow_run_id": self.any("flow_run"),
        }
        self.call("POST", "/logs/", [entry])
        self.search("/logs/filter")

    def do_limit(self) -> None:
        made = self.call(
            "POST", "/concurrency_limits/", {"tag": self.name("-"), "concurrency_limit": 3}, "limit"
        )
        if made:
            self._ids.setdefault("tag", []).append(made["tag"])
        tag = self.any("tag")
        self.one(
            lambda: self.call("GET", f"/concurrency_limits/{self.any('limit')}"),
            lambda: self.call("DELETE", f"/concurrency_limits/{self.drop('limit')}"),
            lambda: self.call("GET", f"/concurrency_limits/tag/{tag}"),
            lambda: self.call("DELETE", f"/concurrency_limits/tag/{self.drop('tag')}"),
            lambda: self.call("POST", f"/concurrency_limits/tag/{tag}/reset", {}),
            lambda: self.search("/concurrency_limits/filter"),
            lambda: self.call(
                "POST",
                f"/concurrency_limits/{self._rng.choice(('in', 'de'))}crement",
                {"names": [tag], "task_run_id": self.any("task_run")},
            ),
        )

    def do_limit_v2(self) -> None:
        self.call("POST", "/v2/concurrency_limits/", {"name": self.name("_"), "limit": 5}, "limit2", "name")
        self.call("POST", "/v2/concurrency_limits/", {"name": self.name("_"), "limit": 5}, "limit2id")
        names = {"names": [self.any("limit2")], "slots": 1}
        which = self.any(self._rng.choice(("limit2", "limit2id")))
        self.one(
            lambda: self.call("GET", f"/v2/concurrency_limits/{which}"),
            lambda: self.call("PATCH", f"/v2/concurrency_limits/{which}", {"limit": 7}),
            lambda: self.call("DELETE", f"/v2/concurrency_limits/{self.drop('limit2')}"),
            lambda: self.search("/v2/concurrency_limits/filter"),
            lambda: self.call("POST", "/v2/concurrency_limits/increment", names),
            lambda: self.call("POST", "/v2/concurrency_limits/decrement", names),
            self._lease,
        )

    def _lease(self) -> None:
        names = {"names": [self.any("limit2")], "slots": 1}
        lease = self.call("POST", "/v2/concurrency_limits/increment-with-lease", names)
        if lease:
            self.call(
                "POST", f"/v2/concurrency_limits/leases/{lease['lease_id']}/renew", {"lease_duration": 60}
            )
            self.call("POST", "/v2/concurrency_limits/decrement-with-lease", {"lease_id": lease["lease_id"]})

    def do_block(self) -> None:
        slug = self.name("-")
        made = self.call("POST", "/block_types/", {"name": slug, "slug": slug}, "block_type")
        if made:
            self._ids.setdefault("slug", []).append(slug)
            fields = {"title": slug, "type": "object", "properties": {self.word(): {"type": "string"}}}
            schema = self.call(
                "POST", "/block_schemas/", {"block_type_id": made["id"], "fields": fields}, "schema"
            )
            if schema:
                self._ids.setdefault("checksum", []).append(schema["checksum"])
                for _ in range(self._rng.randint(1, 3)):
                    name = self.name("-")
                    body = {
                        "name": name,
                        "data": {},
                        "block_schema_id": schema["id"],
                        "block_type_id": made["id"],
                    }
                    if self.call("POST", "/block_documents/", body, "document"):
                        self._ids.setdefault("slug/name", []).append(f"{slug}/block_documents/name/{name}")

    def do_block_more(self) -> None:
        self.one(
            lambda: self.call("GET", f"/block_types/{self.any('block_type')}"),
            lambda: self.call(
                "PATCH", f"/block_types/{self.any('block_type')}", {"description": self.name(" ")}
            ),
            lambda: self.call("DELETE", f"/block_types/{self.drop('block_type')}"),
            lambda: self.call("GET", f"/block_types/slug/{self.any('slug')}"),
            lambda: self.call("GET", f"/block_types/slug/{self.any('slug')}/block_documents"),
            lambda: self.call("GET", f"/block_types/slug/{self.any('slug/name')}"),
            lambda: self.search("/block_types/filter", "/block_schemas/filter", "/block_documents/filter"),
            lambda: self.call("GET", "/block_capabilities/"),
        )

    def do_document(self) -> None:
        self.one(
            lambda: self.call("GET", f"/block_documents/{self.any('document')}"),
            lambda: self.call("PATCH", f"/block_documents/{self.any('document')}", {"data": {}}),
            lambda: self.call("DELETE", f"/block_documents/{self.drop('document')}"),
            lambda: self.call("POST", "/block_documents/count", {}),
            lambda: self.call("GET", f"/block_schemas/{self.any('schema')}"),
            lambda: self.call("GET", f"/block_schemas/checksum/{self.any('checksum')}"),
            lambda: self.call("DELETE", f"/block_schemas/{self.drop('schema')}"),
        )

    def do_pool(self) -> None:
        self.call("POST", "/work_pools/", {"name": self.name("-"), "type": "process"}, "pool", "name")
        pool = self.any("pool")
        queue = self.name("-")
        self.call("POST", f"/work_pools/{pool}/workers/heartbeat", {"name": f"worker {self.word()}"})
        if self.call("POST", f"/work_pools/{pool}/queues", {"name": queue}):
            self._ids.setdefault("pool/queue", []).append(f"{pool}/queues/{queue}")

    def do_pool_more(self) -> None:
        pool, queue = self.any("pool"), self.any("pool/queue")
        self.one(
            lambda: self.call("GET", f"/work_pools/{pool}"),
            lambda: self.call("PATCH", f"/work_pools/{pool}", {"description": self.name(" ")}),
            lambda: self.call("DELETE", f"/work_pools/{self.drop('pool')}"),
            lambda: self.search("/work_pools/filter"),
            lambda: self.call("POST", "/work_pools/count", {}),
            lambda: self.call("POST", f"/work_pools/{pool}/concurrency_status", {}),
            lambda: self.call("POST", f"/work_pools/{pool}/get_scheduled_flow_runs", {}),
            lambda: self.call("GET", f"/work_pools/{queue}"),
            lambda: self.call("PATCH", f"/work_pools/{queue}", {"priority": self._rng.randint(1, 9)}),
            lambda: self.call("DELETE", f"/work_pools/{self.drop('pool/queue')}"),
            lambda: self.search(f"/work_pools/{pool}/queues/filter", f"/work_pools/{pool}/workers/filter"),
            self._worker,
        )

    def _worker(self) -> None:
        pool = self.any("pool")
        found = self.call("POST", f"/work_pools/{pool}/workers/filter", {})
        if found:
            self.call("DELETE", f"/work_pools/{pool}/workers/{found[0]['name'].replace(' ', '%20')}")

    def do_queue(self) -> None:
        made = self.call("POST", "/work_queues/", {"name": self.name("-")}, "queue")
        if made:
            self._ids.setdefault("queue name", []).append(made["name"])
        queue = self.any("queue")
        self.one(
            lambda: self.call("GET", f"/work_queues/{queue}"),
            lambda: self.call("PATCH", f"/work_queues/{queue}", {"description": self.name(" ")}),
            lambda: self.call("DELETE", f"/work_queues/{self.drop('queue')}"),
            lambda: self.call("GET", f"/work_queues/name/{self.any('queue name')}"),
            lambda: self.call("POST", f"/work_queues/{queue}/get_runs", {}),
            lambda: self.call("POST", f"/work_queues/{queue}/concurrency_status", {}),
            lambda: self.call("GET", f"/work_queues/{queue}/status"),
            lambda: self.search("/work_queues/filter"),
        )

    def do_artifact(self) -> None:
        key = self.name("-")
        body = {"key": key, "type": "markdown", "data": self.name(" "), "flow_run_id": self.any("flow_run")}
        if self.call("POST", "/artifacts/", body, "artifact"):
            self._ids.setdefault("key", []).append(key)
        one = self.any("artifact")
        self.one(
            lambda: self.call("GET", f"/artifacts/{one}"),
            lambda: self.call("PATCH", f"/artifacts/{one}", {"description": self.name(" ")}),
            lambda: self.call("DELETE", f"/artifacts/{self.drop('artifact')}"),
            lambda: self.call("GET", f"/artifacts/{self.any('key')}/latest"),
            lambda: self.call("GET", f"/artifacts/{self.any('key')}/latest"),
            lambda: self.search("/artifacts/filter", "/artifacts/latest/filter"),
            lambda: self.call("POST", f"/artifacts/{self._rng.choice(('', 'latest/'))}count", {}),
        )

    def do_variable(self) -> None:
        name = self.name("_")
        if self.call("POST", "/variables/", {"name": name, "value": self.word()}, "variable"):
            self._ids.setdefault("variable name", []).append(name)
        one, named = self.any("variable"), self.any("variable name")
        self.one(
            lambda: self.call("GET", f"/variables/{one}"),
            lambda: self.call("PATCH", f"/variables/{one}", {"value": self.word()}),
            lambda: self.call("DELETE", f"/variables/{self.drop('variable')}"),
            lambda: self.call("GET", f"/variables/name/{named}"),
            lambda: self.call("PATCH", f"/variables/name/{named}", {"value": self.word()}),
            lambda: self.call("DELETE", f"/variables/name/{self.drop('variable name')}"),
            lambda: self.search("/variables/filter"),
            lambda: self.call("POST", "/variables/count", {}),
        )

    def do_event(self) -> None:
        now = datetime.now(UTC)
        event = {
            "occurred": now.isoformat(),
            "event": self.name("."),
            "resource": {"prefect.resource.id": f"a.{self.word()}"},
            "id": str(uuid.uuid4()),
        }
        self.call("POST", "/events", [event])
        span = {
            "filter": {
                "occurred": {"since": (now - timedelta(hours=2)).isoformat(), "until": now.isoformat()}
            }
        }
        self.one(
            lambda: self.call("POST", "/events/filter", {"limit": 5}),
            lambda: self.call(
                "POST", f"/events/count-by/{self._rng.choice(('day', 'time', 'event', 'resource'))}", span
            ),
            self._next_events,
        )

    def _next_events(self) -> None:
        found = self.call("POST", "/events/filter", {"limit": 1})
        if found and found.get("next_page"):
            self.call("GET", "/events/filter/next?" + found["next_page"].partition("?")[2])

    def do_automation(self) -> None:
        body = {
            "name": self.name(" "),
            "trigger": {"type": "event", "expect": [self.word()], "posture": "Reactive", "threshold": 1},
            "actions": [{"type": "do-nothing"}],
        }
        self.call("POST", "/automations/", body, "automation")
        one = self.any("automation")
        self.one(
            lambda: self.call("GET", f"/automations/{one}"),
            lambda: self.call("PUT", f"/automations/{one}", body),
            lambda: self.call("PATCH", f"/automations/{one}", {"enabled": False}),
            lambda: self.call("DELETE", f"/automations/{self.drop('automation')}"),
            lambda: self.search("/automations/filter"),
            lambda: self.call("POST", "/automations/count"),
            lambda: self.call("GET", f"/automations/related-to/prefect.deployment.{self.any('deployment')}"),
            lambda: self.call("DELETE", f"/automations/owned-by/prefect.deployment.{self.any('deployment')}"),
            lambda: self.call("POST", "/automations/templates/validate", "{{ a }}"),
            lambda: self.call("POST", "/templates/validate", "{{ b }}"),
        )

    def do_other(self) -> None:
        self.one(
            lambda: self.call("GET", "/health"),
            lambda: self.call("GET", "/version"),
            lambda: self.call("GET", "/hello"),
            lambda: self.call("GET", "/ready"),
            lambda: self.call("GET", "/csrf-token?client=bench"),
            lambda: self.call("GET", "/admin/settings"),
            lambda: self.call("GET", "/admin/version"),
            lambda: self.call("GET", "/admin/storage"),
            lambda: self.call(
                "PUT", "/admin/storage", {"default_result_storage_block_id": self.any("document")}
            ),
            lambda: self.call("DELETE", "/admin/storage"),
            lambda: self.call(
                "GET",
                f"/collections/views/aggregate-{self._rng.choice(('worker', 'flow', 'block'))}-metadata",
            ),
            lambda: self.call("POST", "/block_types/install_system_block_types"),
            lambda: self.call("POST", "/ui/schemas/validate", {"schema": {"type": "object"}, "values": {}}),
        )


if __name__ == "__main__":
    main()
