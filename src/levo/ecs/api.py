"""The only code that calls AWS: ten actions, paged, retried, and their errors as one line each."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from levo.ecs.definition import TaskDefinition, read_tags, unknown_members
from levo.ecs.model import EcsError, Json
from levo.ecs.policy import BY_NAME
from levo.ecs.state import Cluster, Service, read_cluster, read_service

CLUSTERS_A_CALL = 100
SERVICES_A_CALL = 10
ATTEMPTS = 8
"""Of one call, with exponential backoff and jitter between them, when AWS throttles or fails."""

_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"})
_BAD_CREDENTIALS = frozenset(
    {
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "ExpiredToken",
        "ExpiredTokenException",
        "AuthFailure",
        "IncompleteSignature",
        "MissingAuthenticationToken",
        "RequestExpired",
    }
)
_THROTTLED = frozenset(
    {"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException"}
)
_NOT_FOUND = frozenset({"ClusterNotFoundException", "ServiceNotFoundException", "ResourceNotFoundException"})
_ACTION_IN_TEXT = re.compile(r"not authorized to perform:? ([a-z0-9-]+:[A-Za-z]+)")
_USER_IN_TEXT = re.compile(r"User:? (arn:\S+)")


class AwsError(EcsError):
    """AWS refused a call."""

    def __init__(self, action: str, code: str, text: str) -> None:
        self.action = action
        """As IAM writes it: ``ecs:UpdateService``."""
        self.code = code
        self.text = text
        super().__init__(self._line())

    @property
    def step(self) -> str:
        known = BY_NAME.get(self.action)
        return known.step if known is not None else f"call {self.action}"

    def _line(self) -> str:
        return f"cannot {self.step}: {self.text} ({self.code})"


class DeniedError(AwsError):
    """A permission is missing."""

    def __init__(self, called: str, code: str, text: str) -> None:
        self.called = called
        """The action that was called; :attr:`action` may be another that it needs, iam:PassRole say."""
        found = _ACTION_IN_TEXT.search(text)
        self._user = _USER_IN_TEXT.search(text)
        super().__init__(found[1] if found else called, code, text)

    @property
    def step(self) -> str:
        return BY_NAME[self.called].step if self.called in BY_NAME else f"call {self.called}"

    def _line(self) -> str:
        who = f" for {self._user[1]}" if self._user else ""
        role = " --pass-role ROLE_ARN" if self.action == "iam:PassRole" else ""
        return (
            f"permission {self.action} is missing{who}: cannot {self.step}; "
            f"levo ecs policy{role} prints a policy that allows it"
        )


class ThrottledError(AwsError):
    """AWS asked for fewer calls, and went on asking."""

    def _line(self) -> str:
        return f"cannot {self.step}: AWS throttles the calls; wait a minute and try again"


class NotFoundError(AwsError):
    """The cluster, service or task definition does not exist."""


class CredentialsError(EcsError):
    """No usable AWS credentials. Nothing was asked of AWS, or it did not believe us."""


class ConnectionFailed(EcsError):
    """AWS was not reached."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Which entry of the usual AWS chain to use."""

    profile: str | None = None
    endpoint: str | None = None
    """Instead of AWS's own; for stand-ins."""


def profiles() -> list[str]:
    """Names of the profiles in the shared AWS files."""
    return sorted(_boto3().Session().available_profiles)


def _boto3() -> Any:
    """The AWS library, which only the extra ``aws`` installs; where it is missing ``levo.cli`` says so."""
    return importlib.import_module("boto3")


class Account:
    """An AWS account, seen through one set of credentials; gives one client for each region asked for."""

    def __init__(self, credentials: Credentials) -> None:
        boto3 = _boto3()
        from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]

        self._credentials = credentials
        try:
            self._session = boto3.Session(profile_name=credentials.profile)
            found = self._session.get_credentials()
        except BotoCoreError as error:
            raise CredentialsError(_credentials_line(error)) from None
        if found is None:
            raise CredentialsError(
                "no AWS credentials found; save them in ~/.aws/credentials, or name a profile with --profile"
            )

    @property
    def region(self) -> str | None:
        """Of the profile or the environment."""
        region = self._session.region_name
        return str(region) if region else None

    def known_regions(self) -> list[str]:
        """The built-in list: regions that have ECS, as this version of the AWS library knows them."""
        return sorted(self._session.get_available_regions("ecs"))

    def regions(self) -> list[str]:
        """The regions that are enabled for this account (ec2:DescribeRegions)."""
        client = self._client("ec2", self.region or "us-east-1")
        answer = _call("ec2:DescribeRegions", client.describe_regions)
        return sorted(
            entry["RegionName"] for entry in answer["Regions"] if entry.get("OptInStatus") != "not-opted-in"
        )

    def ecs(self, region: str) -> Ecs:
        return Ecs(self._client("ecs", region), region, lambda: self._client("ecs", region, attempts=1))

    def _client(self, service: str, region: str, attempts: int | None = None) -> Any:
        from botocore.config import Config  # type: ignore[import-untyped]
        from botocore.exceptions import BotoCoreError

        settings = Config(
            connect_timeout=5,
            read_timeout=30,
            retries={"mode": "standard", "total_max_attempts": attempts or ATTEMPTS},
            user_agent_extra="levo-sensor",
        )
        try:
            return self._session.client(
                service, region_name=region, config=settings, endpoint_url=self._credentials.endpoint
            )
        except (BotoCoreError, ValueError) as error:
            raise CredentialsError(_credentials_line(error)) from None


class Ecs:
    """ECS in one region."""

    def __init__(self, client: Any, region: str, once: Callable[[], Any] | None = None) -> None:
        """*once* makes a client that never repeats a call, for the one call that is not idempotent."""
        self._client = client
        self._once = once
        self.region = region
        model = client.meta.service_model
        self.register_members = frozenset(model.operation_model("RegisterTaskDefinition").input_shape.members)
        """What a copy of a task definition may hold."""
        self._definition_shape = model.operation_model("DescribeTaskDefinition").output_shape
        self._raw = b""
        client.meta.events.register("before-parse.ecs.DescribeTaskDefinition", self._keep_raw)

    def clusters(self) -> list[Cluster]:
        """By name."""
        arns = list(self._pages("ecs:ListClusters", self._client.list_clusters, "clusterArns"))
        found: list[Cluster] = []
        for some in _batches(arns, CLUSTERS_A_CALL):
            answer = _call("ecs:DescribeClusters", self._client.describe_clusters, clusters=some)
            found += [read_cluster(entry) for entry in answer.get("clusters") or ()]
        return sorted(found, key=lambda cluster: cluster.name)

    def cluster(self, name: str) -> Cluster:
        """Raises NotFoundError."""
        answer = _call("ecs:DescribeClusters", self._client.describe_clusters, clusters=[name])
        for entry in answer.get("clusters") or ():
            return read_cluster(entry)
        raise NotFoundError("ecs:DescribeClusters", "MISSING", f"no cluster '{name}' in {self.region}")

    def families(self) -> list[str]:
        """The families that have an ACTIVE revision, by name."""
        call = self._client.list_task_definition_families
        return sorted(self._pages("ecs:ListTaskDefinitionFamilies", call, "families", status="ACTIVE"))

    def definition(self, name: str) -> TaskDefinition:
        """A revision by ARN or ``family:revision``, or the latest ACTIVE one of a family, with its tags.

        Raises:
            EcsError: it holds settings that this version of the AWS library would lose.
        """
        self._raw = b""
        answer = _call(
            "ecs:DescribeTaskDefinition",
            self._client.describe_task_definition,
            taskDefinition=name,
            include=["TAGS"],
        )
        lost = list(unknown_members(self._definition_shape, _json(self._raw)))
        if lost:
            raise EcsError(
                f"the task definition has settings that this boto3 does not know and would lose: "
                f"{', '.join(lost[:3])}; upgrade it: pip install --upgrade boto3"
            )
        return TaskDefinition(answer["taskDefinition"], read_tags(answer.get("tags") or ()))

    def register(self, definition: TaskDefinition) -> TaskDefinition:
        """Write *definition* as the next revision of its family; return it as AWS did.

        Sent once: a repetition after a lost answer would leave a revision that nobody knows of.
        """
        wanted = definition.registrable(self.register_members)
        client = self._once() if self._once is not None else self._client
        answer = _call("ecs:RegisterTaskDefinition", client.register_task_definition, **wanted)
        return TaskDefinition(answer["taskDefinition"], read_tags(answer.get("tags") or ()))

    def services(self, cluster: str) -> list[Service]:
        """All services of a cluster that are not INACTIVE, with tags, by name."""
        arns = list(
            self._pages("ecs:ListServices", self._client.list_services, "serviceArns", cluster=cluster)
        )
        found = self.describe(cluster, arns)
        return sorted(
            (service for service in found if service.status != "INACTIVE"), key=lambda service: service.name
        )

    def describe(self, cluster: str, names: Sequence[str]) -> list[Service]:
        """These services, with tags, in the order of the answer; those that do not exist are left out."""
        found: list[Service] = []
        for some in _batches(list(names), SERVICES_A_CALL):
            answer = _call(
                "ecs:DescribeServices",
                self._client.describe_services,
                cluster=cluster,
                services=some,
                include=["TAGS"],
            )
            found += [read_service(entry) for entry in answer.get("services") or ()]
        return found

    def update(self, service: Service, definition_arn: str) -> Service:
        """Set the service to that revision, which starts a deployment. All its other settings stay."""
        answer = _call(
            "ecs:UpdateService",
            self._client.update_service,
            cluster=service.cluster_arn,
            service=service.name,
            taskDefinition=definition_arn,
        )
        return read_service(answer["service"])

    def tag(self, arn: str, tags: Mapping[str, str]) -> None:
        entries = [{"key": key, "value": value} for key, value in tags.items()]
        _call("ecs:TagResource", self._client.tag_resource, resourceArn=arn, tags=entries)

    def _pages(self, action: str, call: Any, member: str, **arguments: Any) -> Iterator[str]:
        token: str | None = None
        while True:
            answer = _call(action, call, **arguments, **({"nextToken": token} if token else {}))
            yield from answer.get(member) or ()
            following = answer.get("nextToken")
            if not following or following == token:
                return
            token = following

    def _keep_raw(self, response_dict: Mapping[str, Any], **_: Any) -> None:
        self._raw = response_dict.get("body") or b"" if response_dict.get("status_code") == 200 else b""


def _call(action: str, call: Any, **arguments: Any) -> Json:
    """One API call; whatever goes wrong becomes one of this module's errors."""
    from botocore import exceptions as boto  # type: ignore[import-untyped]

    try:
        answer = call(**arguments)
    except boto.ClientError as error:
        raise _translated(action, error.response) from None
    except (
        boto.NoCredentialsError,
        boto.PartialCredentialsError,
        boto.CredentialRetrievalError,
        boto.TokenRetrievalError,
        boto.SSOError,
    ) as error:
        raise CredentialsError(_credentials_line(error)) from None
    except (boto.HTTPClientError, boto.ConnectionError) as error:
        raise ConnectionFailed(f"AWS is not reached: {_one_line(str(error))}") from None
    except boto.ParamValidationError as error:
        raise EcsError(f"{action}: AWS would refuse this: {_one_line(str(error))}") from None
    except boto.BotoCoreError as error:
        raise EcsError(f"{action}: {_one_line(str(error))}") from None
    assert isinstance(answer, Mapping)
    return answer


def _translated(action: str, response: Json) -> EcsError:
    error = response.get("Error") or {}
    code = str(error.get("Code", ""))
    text = _one_line(str(error.get("Message", "") or "no reason given"))
    status = (response.get("ResponseMetadata") or {}).get("HTTPStatusCode")
    if code in _BAD_CREDENTIALS:
        return CredentialsError(f"AWS does not accept these credentials: {text} ({code})")
    if code in _DENIED or (status == 403 and "not authorized" in text):
        return DeniedError(action, code, text)
    if code in _THROTTLED:
        return ThrottledError(action, code, text)
    if code in _NOT_FOUND:
        return NotFoundError(action, code, text)
    return AwsError(action, code, text)


def _credentials_line(error: Exception) -> str:
    text = _one_line(str(error))
    kind = type(error).__name__
    if kind == "ProfileNotFound":
        return f"{text[:1].lower()}{text[1:]}; aws configure list-profiles shows what there is"
    if "SSO" in kind or "Token" in kind:
        return f"{text.rstrip('.')}; log in again with: aws sso login"
    return f"AWS credentials: {text}"


def _batches(items: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else {}
    except ValueError:
        return {}


def _one_line(text: str) -> str:
    return " ".join(text.split())[:400]
