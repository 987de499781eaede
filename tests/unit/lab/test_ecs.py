"""ECS: services follow what they are told, and say why when they cannot."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from lab import names
from lab.platform import set_variable
from tests.unit.lab.small_platform import SmallPlatform, wait_until

SERVICE = names.AUTH


@pytest.fixture
def revised(platform: SmallPlatform) -> Iterator[SmallPlatform]:
    """Whatever a test deploys, the service is given back as it was."""
    before = platform.platform.service(SERVICE)["taskDefinition"]
    yield platform
    platform.aws.ecs.update_service(
        cluster=names.CLUSTER, service=SERVICE, taskDefinition=before, desiredCount=1
    )
    platform.settle()


def rollout(platform: SmallPlatform) -> tuple[str, str]:
    (first, *_) = platform.platform.service(SERVICE)["deployments"]
    return first["rolloutState"], first["rolloutStateReason"]


def test_a_service_runs_its_tasks_and_enters_them_everywhere(platform: SmallPlatform) -> None:
    service = platform.platform.service(names.MLFLOW)
    assert (service["runningCount"], service["pendingCount"]) == (1, 0)
    assert [each["rolloutState"] for each in service["deployments"]] == ["COMPLETED"]
    address = platform.address(names.MLFLOW)
    found = platform.platform.discovery_service(names.NAMESPACE, "mlflow")["Id"]
    (instance,) = platform.aws.servicediscovery.list_instances(ServiceId=found)["Instances"]
    assert instance["Attributes"]["AWS_INSTANCE_IPV4"] == address
    group = platform.platform.target_group(names.REGISTRY_MLFLOW_TARGETS)
    assert list(platform.backends.elbv2.target_groups[group].targets) == [address]


def test_a_task_is_given_its_variables_and_its_secrets(platform: SmallPlatform) -> None:
    task = platform.task(names.API)["taskArn"].rpartition("/")[2]
    environment = platform.programs.environments[task]
    assert environment["DB_USER"] == "mlflow"
    assert len(environment["DB_PASSWORD"]) > 20


def test_a_forced_deployment_replaces_the_task(revised: SmallPlatform) -> None:
    before = revised.task(SERVICE)
    revised.aws.ecs.update_service(cluster=names.CLUSTER, service=SERVICE, forceNewDeployment=True)
    assert rollout(revised)[0] == "IN_PROGRESS"
    revised.settle()
    after = revised.task(SERVICE)
    assert after["taskArn"] != before["taskArn"]
    (stopped,) = [t for t in revised.tasks(SERVICE, "STOPPED") if t["taskArn"] == before["taskArn"]]
    assert stopped["stopCode"] == "ServiceSchedulerInitiated"
    assert "Scaling activity initiated by (deployment" in stopped["stoppedReason"]


def test_a_service_scaled_to_nothing_has_no_task(revised: SmallPlatform) -> None:
    revised.aws.ecs.update_service(cluster=names.CLUSTER, service=SERVICE, desiredCount=0)
    revised.settle()
    assert revised.tasks(SERVICE) == []
    assert revised.platform.service(SERVICE)["runningCount"] == 0


def test_a_container_that_exits_is_replaced_and_its_exit_code_told(revised: SmallPlatform) -> None:
    arn = revised.task(SERVICE)["taskArn"]
    revised.programs.running[arn.rpartition("/")[2]].end(3)
    wait_until(lambda: [t for t in revised.tasks(SERVICE) if t["taskArn"] != arn], "replaced")
    revised.settle()
    (stopped,) = [t for t in revised.tasks(SERVICE, "STOPPED") if t["taskArn"] == arn]
    assert stopped["stopCode"] == "EssentialContainerExited"
    assert stopped["containers"][0]["exitCode"] == 3


def test_a_container_whose_health_check_fails_is_replaced(revised: SmallPlatform) -> None:
    arn = revised.task(SERVICE)["taskArn"]
    revised.programs.running[arn.rpartition("/")[2]].status = 500
    revised.controller.look_at_everything()
    wait_until(
        lambda: [t for t in revised.tasks(SERVICE, "STOPPED") if t["taskArn"] == arn], "stopped"
    )
    revised.settle()
    assert revised.task(SERVICE)["taskArn"] != arn


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        ("image", "CannotPullContainerError"),
        ("key", "retrieved secret from Secrets Manager did not contain json key no_such_key"),
        ("secret", "Secrets Manager can't find the specified secret"),
        ("log", "The specified log group does not exist"),
    ],
)
def test_a_task_that_cannot_start_says_why_and_the_deployment_is_rolled_back(
    revised: SmallPlatform, spoil: str, told: str
) -> None:
    good, arn = revised.task(SERVICE)["taskArn"], revised.platform.secret(names.APP_SECRETS)

    def edit(container: dict[str, object]) -> None:
        if spoil == "image":
            container["image"] = "nowhere/image:1"
        elif spoil == "log":
            container["logConfiguration"]["options"]["awslogs-group"] = "/none"  # type: ignore[index]
        else:
            where = f"{arn}:no_such_key::" if spoil == "key" else f"{arn[:-3]}xyz"
            container["secrets"] = [{"name": "X", "valueFrom": where}]

    bad = revised.platform.revise(SERVICE, edit)
    wait_until(lambda: revised.platform.service(SERVICE)["taskDefinition"] != bad, "rolled back")
    revised.settle()
    reasons = [t["stoppedReason"] for t in revised.tasks(SERVICE, "STOPPED")]
    assert [reason for reason in reasons if told in reason]
    assert revised.task(SERVICE)["taskArn"] == good
    assert "rolling back" in rollout(revised)[1] or rollout(revised)[0] == "COMPLETED"
    events = [each["message"] for each in revised.platform.service(SERVICE)["events"]]
    assert [each for each in events if "deployment failed: tasks failed to start" in each]


def test_a_new_revision_changes_what_the_task_is_given(revised: SmallPlatform) -> None:
    revised.platform.revise(SERVICE, lambda container: set_variable(container, "NEW", "1"))
    revised.settle()
    task = revised.task(SERVICE)["taskArn"].rpartition("/")[2]
    assert revised.programs.environments[task]["NEW"] == "1"


def test_what_does_not_exist_is_refused_as_aws_does(platform: SmallPlatform) -> None:
    ecs = platform.aws.ecs
    with pytest.raises(ecs.exceptions.ClusterNotFoundException):
        ecs.list_tasks(cluster="nowhere")
    with pytest.raises(ecs.exceptions.ServiceNotFoundException):
        ecs.update_service(cluster=names.CLUSTER, service="nobody")
    described = ecs.describe_services(cluster=names.CLUSTER, services=["nobody"])
    assert [each["reason"] for each in described["failures"]] == ["MISSING"]
    with pytest.raises(ClientError, match="TaskDefinition not found"):
        ecs.update_service(cluster=names.CLUSTER, service=SERVICE, taskDefinition="none:9")
