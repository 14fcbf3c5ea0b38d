"""A small ECS and EC2 server over HTTP, for what moto does not do: rollouts that progress, fail or get stuck,
pages, throttling, answers that lag behind, and refusals. Answers have the shape of the real ones.

Time is counted in looks: every DescribeServices moves a rollout one step on, so no test waits.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import botocore.session
from botocore.validate import ParamValidator

ACCOUNT = "123456789012"
PREFIX = "AmazonEC2ContainerServiceV20141113."
CREATED = 1760000000.0
Json = dict[str, Any]


@dataclass
class Refusal(Exception):
    """An error answer."""

    code: str
    message: str
    status: int = 400


HANG_UP = Refusal("", "the connection is closed without an answer", status=0)


def denied(action: str) -> Refusal:
    return Refusal(
        "AccessDeniedException",
        f"User: arn:aws:iam::{ACCOUNT}:user/installer is not authorized to perform: {action} on resource: * "
        "because no identity-based policy allows the action",
    )


@dataclass
class FakeService:
    """One service and how its rollouts go."""

    name: str
    cluster: str
    definition: str
    desired: int = 2
    outcome: str = "success"
    """success, failure (FAILED, stays), breaker (FAILED, ECS goes back), stuck, gone, superseded."""
    steps: int = 3
    """Looks until the outcome."""
    lag: int = 0
    """Looks in which an update is not seen yet."""
    more: Json = field(default_factory=dict)
    """Members of the answer that are added or replaced."""
    tags: dict[str, str] = field(default_factory=dict)
    before: str = ""
    looks: int = -1
    """Since the update; -1: nothing is rolled out."""
    number: int = 0


class FakeEcs:
    """One region's state, and a record of every request."""

    def __init__(self, region: str = "eu-west-1") -> None:
        self.region = region
        self.regions = [region]
        self.clusters: list[str] = []
        self.services: list[FakeService] = []
        self.definitions: dict[str, list[Json]] = {}
        self.definition_tags: dict[str, list[Json]] = {}
        self.page = 100
        self.refusals: dict[str, list[Refusal]] = {}
        """By operation: answers to give first, one each."""
        self.always: dict[str, Refusal] = {}
        """By operation: the answer to give every time."""
        self.requests: list[tuple[str, Json]] = []
        self.invalid: list[str] = []
        """Requests that the API model does not allow, in words."""
        self.extra_raw: Json = {}
        """Members added to every described task definition that no API model knows."""
        self._model = botocore.session.get_session().get_service_model("ecs")
        self._lock = threading.Lock()

    def arn(self, kind: str, name: str) -> str:
        return f"arn:aws:ecs:{self.region}:{ACCOUNT}:{kind}/{name}"

    def add_cluster(self, name: str) -> None:
        self.clusters.append(name)

    def add_definition(self, family: str, tags: dict[str, str] | None = None, **members: Any) -> str:
        """The next revision; returns ``family:revision``."""
        revision = len(self.definitions.setdefault(family, [])) + 1
        name = f"{family}:{revision}"
        self.definitions[family].append(
            {
                "family": family,
                "networkMode": "awsvpc",
                "requiresCompatibilities": ["FARGATE"],
                "cpu": "1024",
                "memory": "3072",
                "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/execution",
                "containerDefinitions": [
                    {"name": "app", "image": "nginx:1.27", "cpu": 256, "memory": 1024, "essential": True}
                ],
                "volumes": [],
                "placementConstraints": [],
                **members,
                "taskDefinitionArn": self.arn("task-definition", name),
                "revision": revision,
                "status": "ACTIVE",
                "compatibilities": ["EC2", "FARGATE"],
                "requiresAttributes": [{"name": "ecs.capability.task-eni"}],
                "registeredAt": CREATED,
                "registeredBy": f"arn:aws:iam::{ACCOUNT}:user/builder",
            }
        )
        self.definition_tags[name] = [{"key": key, "value": value} for key, value in (tags or {}).items()]
        return name

    def add_service(
        self, name: str, cluster: str = "prod", definition: str = "web:1", **more: Any
    ) -> FakeService:
        if cluster not in self.clusters:
            self.add_cluster(cluster)
        service = FakeService(name, cluster, self.arn("task-definition", definition), **more)
        self.services.append(service)
        return service

    def called(self, *operations: str) -> list[Json]:
        return [body for operation, body in self.requests if operation in operations]

    def answer(self, operation: str, body: Json) -> Json:
        with self._lock:
            self.requests.append((operation, body))
            shape = self._model.operation_model(operation).input_shape
            report = ParamValidator().validate(body, shape)
            if report.has_errors():
                self.invalid.append(f"{operation}: {report.generate_report()}")
            queue = self.refusals.get(operation)
            if queue:
                raise queue.pop(0)
            if operation in self.always:
                raise self.always[operation]
            handler: Callable[[Json], Json] = getattr(self, f"_{operation}")
            return handler(body)

    def _pages(self, items: list[str], member: str, body: Json) -> Json:
        start = int(body.get("nextToken") or 0)
        answer: Json = {member: items[start : start + self.page]}
        if start + self.page < len(items):
            answer["nextToken"] = str(start + self.page)
        return answer

    def _ListClusters(self, body: Json) -> Json:
        return self._pages([self.arn("cluster", name) for name in self.clusters], "clusterArns", body)

    def _DescribeClusters(self, body: Json) -> Json:
        wanted = body.get("clusters") or ["default"]
        if len(wanted) > 100:
            raise Refusal("InvalidParameterException", "Clusters can have at most 100 items.")
        found = [name.rpartition("/")[2] for name in wanted]
        return {
            "clusters": [
                {
                    "clusterArn": self.arn("cluster", name),
                    "clusterName": name,
                    "status": "ACTIVE",
                    "runningTasksCount": sum(item.desired for item in self.services if item.cluster == name),
                    "activeServicesCount": sum(1 for item in self.services if item.cluster == name),
                }
                for name in found
                if name in self.clusters
            ],
            "failures": [
                {"arn": self.arn("cluster", name), "reason": "MISSING"}
                for name in found
                if name not in self.clusters
            ],
        }

    def _ListTaskDefinitionFamilies(self, body: Json) -> Json:
        active = [
            name
            for name, revisions in self.definitions.items()
            if any(revision["status"] == "ACTIVE" for revision in revisions)
        ]
        return self._pages(sorted(active), "families", body)

    def _DescribeTaskDefinition(self, body: Json) -> Json:
        family, _, number = body["taskDefinition"].rpartition("/")[2].partition(":")
        revisions = self.definitions.get(family, [])
        if number:
            found = next((item for item in revisions if item["revision"] == int(number)), None)
        else:
            found = next((item for item in reversed(revisions) if item["status"] == "ACTIVE"), None)
        if found is None:
            raise Refusal("ClientException", "Unable to describe task definition.")
        answer: Json = {"taskDefinition": {**found, **self.extra_raw}}
        if "TAGS" in body.get("include", ()):
            answer["tags"] = self.definition_tags[f"{family}:{found['revision']}"]
        return answer

    def _RegisterTaskDefinition(self, body: Json) -> Json:
        members = {key: value for key, value in body.items() if key not in ("family", "tags")}
        tags = {item["key"]: item["value"] for item in body.get("tags", ())}
        if any(key.startswith("aws:") for key in tags):
            raise Refusal("InvalidParameterException", "aws: prefixed tag key names are not allowed.")
        name = self.add_definition(body["family"], tags, **members)
        return {
            "taskDefinition": self.definitions[body["family"]][-1],
            "tags": self.definition_tags[name],
        }

    def _ListServices(self, body: Json) -> Json:
        cluster = self._cluster(body)
        arns = [self._service_arn(item) for item in self.services if item.cluster == cluster]
        return self._pages(arns, "serviceArns", body)

    def _DescribeServices(self, body: Json) -> Json:
        wanted = [name.rpartition("/")[2] for name in body["services"]]
        if len(wanted) > 10:
            raise Refusal("InvalidParameterException", "Services can have at most 10 items.")
        cluster = self._cluster(body)
        found = [item for item in self.services if item.cluster == cluster and item.name in wanted]
        for item in found:
            if item.looks >= 0:
                item.looks += 1
        gone = {item.name for item in found if item.outcome == "gone" and item.looks > item.steps}
        names = {item.name for item in found} - gone
        return {
            "services": [self._describe(item) for item in found if item.name not in gone],
            "failures": [
                {"arn": self.arn("service", f"{cluster}/{name}"), "reason": "MISSING"}
                for name in wanted
                if name not in names
            ],
        }

    def _UpdateService(self, body: Json) -> Json:
        cluster = self._cluster(body)
        name = body["service"].rpartition("/")[2]
        service = next(
            (item for item in self.services if item.cluster == cluster and item.name == name), None
        )
        if service is None:
            raise Refusal("ServiceNotFoundException", "Service not found.")
        if service.more.get("deploymentController", {}).get("type") == "CODE_DEPLOY":
            raise Refusal(
                "InvalidParameterException",
                "Unable to update task definition on services with a CODE_DEPLOY deployment controller. "
                "Use AWS CodeDeploy to trigger a new deployment.",
            )
        wanted = body["taskDefinition"]
        family, _, number = wanted.rpartition("/")[2].partition(":")
        full = self.arn("task-definition", f"{family}:{number}")
        if not any(item["revision"] == int(number) for item in self.definitions.get(family, ())):
            raise Refusal("ClientException", "TaskDefinition not found.")
        if full != service.definition:
            service.before, service.definition, service.looks = service.definition, full, 0
            service.number += 1
            if service.number > 1:
                service.outcome = "success"
        return {"service": self._describe(service)}

    def _TagResource(self, body: Json) -> Json:
        service = next(item for item in self.services if self._service_arn(item) == body["resourceArn"])
        service.tags.update({item["key"]: item["value"] for item in body["tags"]})
        return {}

    def _cluster(self, body: Json) -> str:
        name = str(body.get("cluster", "default")).rpartition("/")[2]
        if name not in self.clusters:
            raise Refusal("ClusterNotFoundException", "Cluster not found.")
        return name

    def _service_arn(self, service: FakeService) -> str:
        return self.arn("service", f"{service.cluster}/{service.name}")

    def _describe(self, service: FakeService) -> Json:
        deployments = _deployments(service)
        return {
            "serviceArn": self._service_arn(service),
            "serviceName": service.name,
            "clusterArn": self.arn("cluster", service.cluster),
            "status": "ACTIVE",
            "desiredCount": service.desired,
            "runningCount": sum(item["runningCount"] for item in deployments),
            "pendingCount": sum(item["pendingCount"] for item in deployments),
            "launchType": "FARGATE",
            "platformVersion": "LATEST",
            "schedulingStrategy": "REPLICA",
            "deploymentController": {"type": "ECS"},
            "deploymentConfiguration": {
                "deploymentCircuitBreaker": {
                    "enable": service.outcome in ("breaker", "failure"),
                    "rollback": service.outcome == "breaker",
                },
                "maximumPercent": 200,
                "minimumHealthyPercent": 100,
            },
            "taskDefinition": deployments[0]["taskDefinition"],
            "deployments": deployments,
            "createdAt": CREATED,
            "events": [],
            "tags": [{"key": key, "value": value} for key, value in service.tags.items()],
            **service.more,
        }


def _deployments(service: FakeService) -> list[Json]:
    """What a service shows after ``looks`` looks: its newest deployment, and the one being replaced."""
    desired, looks = service.desired, service.looks - service.lag
    if service.looks < 0 or looks <= 0 < service.lag:
        shown = service.before if service.looks >= 0 else service.definition
        return [_deployment(service.number, shown, "PRIMARY", desired, desired, "COMPLETED")]
    ended = looks >= service.steps
    share = min(desired, desired * looks // max(service.steps, 1))
    new = (service.number + 1, service.definition)
    old = (service.number, service.before)
    if service.outcome == "success" and ended:
        return [_deployment(*new, "PRIMARY", desired, desired, "COMPLETED")]
    if service.outcome == "breaker" and ended:
        failed = _deployment(*new, "ACTIVE", 0, 0, "FAILED", failed=3, reason=BREAKER)
        back = _deployment(service.number + 2, service.before, "PRIMARY", desired, desired, "IN_PROGRESS")
        return [back, failed]
    if service.outcome == "failure" and ended:
        return [
            _deployment(*new, "PRIMARY", desired, 0, "FAILED", failed=3, reason=BREAKER),
            _deployment(*old, "ACTIVE", desired, desired, "COMPLETED"),
        ]
    if service.outcome == "superseded" and ended:
        other = service.definition.rpartition(":")[0] + ":99"
        return [_deployment(service.number + 2, other, "PRIMARY", desired, 0, "IN_PROGRESS")]
    running = 0 if service.outcome in ("stuck", "failure", "breaker") else share
    failed = looks // 2 if service.outcome in ("stuck", "failure", "breaker") else 0
    return [
        _deployment(*new, "PRIMARY", desired, running, "IN_PROGRESS", failed=failed),
        _deployment(*old, "ACTIVE", desired, desired - running, "COMPLETED"),
    ]


BREAKER = "ECS deployment circuit breaker: tasks failed to start."


def _deployment(
    number: int, definition: str, status: str, desired: int, running: int, rollout: str, *, failed: int = 0,
    reason: str = "",
) -> Json:  # fmt: skip
    return {
        "id": f"ecs-svc/{number:019}",
        "status": status,
        "taskDefinition": definition,
        "desiredCount": desired,
        "pendingCount": max(0, desired - running) if rollout == "IN_PROGRESS" else 0,
        "runningCount": running,
        "failedTasks": failed,
        "createdAt": CREATED,
        "updatedAt": CREATED,
        "launchType": "FARGATE",
        "platformVersion": "1.4.0",
        "rolloutState": rollout,
        "rolloutStateReason": reason or f"ECS deployment ecs-svc/{number:019} {rollout.lower()}.",
    }


REGIONS_ANSWER = """<?xml version="1.0" encoding="UTF-8"?>
<DescribeRegionsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>1</requestId><regionInfo>{}
</regionInfo></DescribeRegionsResponse>"""
EC2_REFUSAL = """<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>{}</Code><Message>{}</Message></Error></Errors><RequestID>1</RequestID></Response>"""


@contextmanager
def serving(*fakes: FakeEcs) -> Iterator[str]:
    """The address of a server for these regions. The first one's ``regions`` answer DescribeRegions."""
    by_region = {fake.region: fake for fake in fakes}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            target = self.headers.get("X-Amz-Target")
            if target is None:
                self._ec2(parse_qs(body.decode()))
                return
            region = self.headers["Authorization"].split("/")[2]
            fake = by_region.get(region)
            try:
                if fake is None:
                    raise denied("ecs:ListClusters")
                answer, status = fake.answer(target.removeprefix(PREFIX), json.loads(body)), 200
            except Refusal as refusal:
                answer = {"__type": refusal.code, "message": refusal.message}
                status = refusal.status
                if refusal is HANG_UP:
                    self.close_connection = True
                    return
            self._send(status, json.dumps(answer), "application/x-amz-json-1.1")

        def _ec2(self, form: dict[str, list[str]]) -> None:
            fake = fakes[0]
            fake.requests.append(("DescribeRegions", {key: value[0] for key, value in form.items()}))
            if "DescribeRegions" in fake.always:
                refusal = fake.always["DescribeRegions"]
                self._send(403, EC2_REFUSAL.format("UnauthorizedOperation", refusal.message), "text/xml")
                return
            items = "".join(
                f"<item><regionName>{name}</regionName><regionEndpoint>ec2.{name}.amazonaws.com</regionEndpoint>"
                "<optInStatus>opt-in-not-required</optInStatus></item>"
                for name in fake.regions
            )
            self._send(200, REGIONS_ANSWER.format(items), "text/xml")

        def _send(self, status: int, text: str, kind: str) -> None:
            octets = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
