"""A running moto server: an ECS, EC2 and IAM that can be talked to over HTTP, with permissions enforced."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3

from levo.ecs.policy import ACTIONS

REGION = "eu-west-1"
TEN = tuple(action.name for action in ACTIONS)
APPLICATION: dict[str, Any] = {
    "name": "app",
    "image": "nginx:1.27",
    "cpu": 256,
    "memory": 1024,
    "essential": True,
    "portMappings": [{"containerPort": 80, "protocol": "tcp"}],
    "environment": [{"name": "MODE", "value": "production"}],
}


class MotoServer:
    """One process on a port of its own. ``reset`` between tests; from ``enforce`` on permissions count."""

    def __init__(self, folder: Path) -> None:
        self._log = (folder / "moto.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
            env={**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": "1000000"},
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self._clients: dict[tuple[str, str], Any] = {}
        self.url = self._wait(folder / "moto.log")

    def _wait(self, log: Path) -> str:
        for _ in range(600):
            text = log.read_text(errors="replace")
            if "Running on http://" in text:
                return text.partition("Running on ")[2].split()[0]
            if self._process.poll() is not None:
                break
            time.sleep(0.1)
        raise AssertionError(f"moto did not start: {log.read_text(errors='replace')[-500:]}")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(60)
        self._log.close()

    def reset(self) -> None:
        self._post("reset-auth", b"1000000")
        self._post("reset", b"")

    def enforce(self) -> None:
        self._post("reset-auth", b"0")

    def client(self, service: str, region: str = REGION) -> Any:
        if (service, region) not in self._clients:
            self._clients[service, region] = boto3.Session().client(
                service,
                region_name=region,
                endpoint_url=self.url,
                aws_access_key_id="setup",
                aws_secret_access_key="setup",
            )
        return self._clients[service, region]

    def user(self, actions: Sequence[str], home: Path, name: str = "installer") -> None:
        """A user who may do *actions*, its key in ``~/.aws/credentials`` of *home*."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        document = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[%s],"Resource":"*"}]}'
        iam.put_user_policy(
            UserName=name,
            PolicyName="ten",
            PolicyDocument=document % ",".join(f'"{action}"' for action in actions),
        )
        write_credentials(home, **_key(iam.create_access_key(UserName=name)["AccessKey"]))

    def service(
        self,
        cluster: str = "prod",
        name: str = "web",
        family: str = "web",
        *,
        containers: Sequence[dict[str, Any]] = (APPLICATION,),
        region: str = REGION,
        **more: Any,
    ) -> None:
        """A Fargate service, its definition and its cluster."""
        ecs = self.client("ecs", region)
        ecs.create_cluster(clusterName=cluster)
        definition = {
            "family": family,
            "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE"],
            "cpu": "1024",
            "memory": "2048",
            "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
            "taskRoleArn": "arn:aws:iam::123456789012:role/task",
            "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
            "containerDefinitions": list(containers),
            "tags": [{"key": "team", "value": "shop"}],
        }
        known = ecs.list_task_definition_families()["families"]
        if family not in known:
            ecs.register_task_definition(**definition)
        ecs.create_service(
            cluster=cluster,
            serviceName=name,
            taskDefinition=family,
            desiredCount=2,
            **{
                "launchType": "FARGATE",
                "networkConfiguration": {"awsvpcConfiguration": self._network(region)},
                **more,
            },
        )

    def _network(self, region: str) -> dict[str, list[str]]:
        ec2 = self.client("ec2", region)
        subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
        return {"subnets": [subnet], "securityGroups": [group]}

    def _post(self, path: str, body: bytes) -> None:
        request = urllib.request.Request(
            f"{self.url}/moto-api/{path}", data=body, headers={"Content-Type": "text/plain"}
        )
        urllib.request.urlopen(request, timeout=180).read()


def _key(answer: dict[str, Any]) -> dict[str, str]:
    return {"access_key": answer["AccessKeyId"], "secret_key": answer["SecretAccessKey"]}


def write_credentials(home: Path, access_key: str = "AKIAEXAMPLE", secret_key: str = "example") -> None:
    folder = home / ".aws"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "credentials").write_text(
        f"[default]\naws_access_key_id = {access_key}\naws_secret_access_key = {secret_key}\n"
    )
    (folder / "config").write_text(f"[default]\nregion = {REGION}\n")
