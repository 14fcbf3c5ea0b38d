"""Services and clusters as the API answers, with what may be absent absent."""

from __future__ import annotations

from levo.ecs.state import TAG_VERSION, read_cluster, read_service
from tests.ecs.definitions import full, model

ARN = "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:7"


def test_a_service_with_every_member_of_the_model_is_read() -> None:
    answer = full(model().operation_model("DescribeServices").output_shape.members["services"].member)
    service = read_service(answer)

    assert service.arn == "serviceArn"
    assert service.desired == 7
    assert service.circuit_breaker and service.breaker_rolls_back and service.alarms_roll_back
    assert service.capacity_providers == ("capacityProvider",)
    assert service.tags == (("key", "value"),)
    assert service.deployments[0].failed == 7
    assert service.deployments[0].reason == "rolloutStateReason"


def test_a_bare_service_has_the_documented_defaults() -> None:
    service = read_service({"serviceArn": "arn:aws:ecs:eu-west-1:1:service/prod/web", "taskDefinition": ARN})

    assert (service.name, service.controller, service.strategy, service.scheduling, service.status) == (
        *("web", "ECS", "ROLLING", "REPLICA"),
        "ACTIVE",
    )
    assert not service.circuit_breaker and not service.on_spot and not service.rolling_out
    assert (service.family, service.revision) == ("web", "web:7")
    assert service.tag(TAG_VERSION) is None


def test_a_breaker_that_is_off_does_not_roll_back() -> None:
    configuration = {"deploymentCircuitBreaker": {"enable": False, "rollback": True}}

    assert not read_service({"deploymentConfiguration": configuration}).breaker_rolls_back


def test_a_service_of_task_sets_runs_what_its_primary_set_runs() -> None:
    sets = [{"status": "ACTIVE", "taskDefinition": "x"}, {"status": "PRIMARY", "taskDefinition": ARN}]

    assert read_service({"taskSets": sets}).revision == "web:7"
    assert read_service({"taskSets": []}).task_definition == ""


def test_spot_is_known_by_its_capacity_provider() -> None:
    spot = read_service({"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]})

    assert spot.on_spot and spot.on_fargate


def test_a_cluster_without_a_name_takes_it_from_its_arn() -> None:
    cluster = read_cluster({"clusterArn": "arn:aws:ecs:eu-west-1:1:cluster/prod", "activeServicesCount": 3})

    assert (cluster.name, cluster.services, cluster.running_tasks) == ("prod", 3, 0)
