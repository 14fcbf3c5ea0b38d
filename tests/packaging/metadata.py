"""A stand-in for the ECS task metadata endpoint, 169.254.170.2:80: ``python -m tests.packaging.metadata``."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer

ADDRESS = "169.254.170.2"
TASK_ARN = "arn:aws:ecs:us-west-2:111122223333:task/prod/0123456789abcdef0123456789abcdef"
CONTAINER = {
    "DockerId": "0123456789abcdef0123456789abcdef-1234567890",
    "Name": "levo-pcap-sensor",
    "DockerName": "levo-pcap-sensor",
    "Image": "levoai/pcap-sensor:0.0.20",
    "Labels": {
        "com.amazonaws.ecs.cluster": "arn:aws:ecs:us-west-2:111122223333:cluster/prod",
        "com.amazonaws.ecs.task-arn": TASK_ARN,
        "com.amazonaws.ecs.task-definition-family": "orders",
        "com.amazonaws.ecs.task-definition-version": "7",
    },
    "ContainerARN": "arn:aws:ecs:us-west-2:111122223333:container/prod/0123/4567",
    "Type": "NORMAL",
}
TASK = {
    "Cluster": "arn:aws:ecs:us-west-2:111122223333:cluster/prod",
    "TaskARN": TASK_ARN,
    "Family": "orders",
    "Revision": "7",
    "DesiredStatus": "RUNNING",
    "KnownStatus": "RUNNING",
    "AvailabilityZone": "us-west-2a",
    "LaunchType": "FARGATE",
    "Containers": [CONTAINER],
}


class Handler(BaseHTTPRequestHandler):
    """The task's document for .../task, the container's for any other path."""

    def do_GET(self) -> None:
        octets = json.dumps(TASK if self.path.endswith("/task") else CONTAINER).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    HTTPServer((ADDRESS, 80), Handler).serve_forever()
