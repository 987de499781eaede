"""Nothing is special-cased: a healthy lab is broken, and mended, with plain AWS calls.

Each test makes the change that a person would make with boto3 or the aws CLI, and looks at what
the suite says. Neither the lab's faults nor its internals are used.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from lab import session
from lab.home import ROOT
from tests.matrix.judging import Judged, judge, judge_until_green

CLUSTER = "hokusai-development"
API = "hokusai-api-development"
DOCUMENTED = {path.stem for path in (ROOT / "failures").glob("*.yaml")}
Variables = dict[str, str]


@pytest.fixture(scope="module")
def lab() -> Iterator[Variables]:
    """A healthy lab, shared: every test leaves it as it found it."""
    with session.start("healthy") as started:
        yield started.environment


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    return tmp_path / "reports"


def client(lab: Variables, service: str) -> Any:
    config = Config(inject_host_prefix=False, retries={"total_max_attempts": 1})
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=lab["AWS_ENDPOINT_URL"],
        region_name=lab["AWS_REGION"],
        aws_access_key_id=lab["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=lab["AWS_SECRET_ACCESS_KEY"],
        config=config,
    )


def wait_for_rollout(lab: Variables, service: str) -> None:
    """As `aws ecs wait services-stable`, at the lab's pace."""
    waiter = client(lab, "ecs").get_waiter("services_stable")
    waiter.wait(cluster=CLUSTER, services=[service], WaiterConfig={"Delay": 1, "MaxAttempts": 30})


def deploy(lab: Variables, service: str, environment: list[dict[str, str]]) -> None:
    """Register a revision with these variables, and force a deployment of it."""
    ecs = client(lab, "ecs")
    described = ecs.describe_services(cluster=CLUSTER, services=[service])["services"][0]
    present = ecs.describe_task_definition(taskDefinition=described["taskDefinition"])
    definition = present["taskDefinition"]
    definition["containerDefinitions"][0]["environment"] = environment
    registered = ecs.register_task_definition(
        family=definition["family"],
        networkMode=definition["networkMode"],
        cpu=definition["cpu"],
        memory=definition["memory"],
        requiresCompatibilities=definition["requiresCompatibilities"],
        executionRoleArn=definition["executionRoleArn"],
        taskRoleArn=definition["taskRoleArn"],
        containerDefinitions=definition["containerDefinitions"],
    )["taskDefinition"]
    ecs.update_service(
        cluster=CLUSTER,
        service=service,
        taskDefinition=registered["taskDefinitionArn"],
        forceNewDeployment=True,
    )
    wait_for_rollout(lab, service)


def variables_of(lab: Variables, service: str) -> list[dict[str, str]]:
    ecs = client(lab, "ecs")
    described = ecs.describe_services(cluster=CLUSTER, services=[service])["services"][0]
    found = ecs.describe_task_definition(taskDefinition=described["taskDefinition"])
    variables: list[dict[str, str]] = found["taskDefinition"]["containerDefinitions"][0][
        "environment"
    ]
    return variables


def expect_green(seen: Judged) -> None:
    assert (seen.exit_code, seen.failed) == (0, {}), seen.output
    assert set(seen.verdicts.values()) == {"fixed"}


def rule_to_mlflow(lab: Variables) -> dict[str, Any]:
    """The rule that lets the API's tasks reach MLflow's, as its security group has it."""
    groups = client(lab, "ec2").describe_security_groups(
        Filters=[{"Name": "group-name", "Values": ["hokusai-ecs-tasks-development"]}]
    )["SecurityGroups"]
    (tasks,) = groups
    (rule,) = [
        {**permission, "UserIdGroupPairs": [pair], "IpRanges": [], "Ipv6Ranges": []}
        for permission in tasks["IpPermissions"]
        if permission["FromPort"] == 5000
        for pair in permission["UserIdGroupPairs"]
        if pair["GroupId"] == tasks["GroupId"]
    ]
    return {"GroupId": tasks["GroupId"], "IpPermissions": [rule]}


def test_a_healthy_lab_passes_every_check(lab: Variables, reports: Path) -> None:
    expect_green(judge(lab, reports))


def test_a_revoked_rule_makes_mlflow_time_out(lab: Variables, reports: Path) -> None:
    ec2, rule = client(lab, "ec2"), rule_to_mlflow(lab)
    ec2.revoke_security_group_ingress(**rule)
    try:
        seen = judge(lab, reports)
    finally:
        ec2.authorize_security_group_ingress(**rule)
    assert seen.exit_code == 1
    assert seen.verdicts["registry-api-outage"] == "reproduced"
    assert seen.verdicts["mlflow-internal-connectivity"] == "reproduced"
    # The name resolves, and the database, the keys and TLS have nothing to do with it.
    for untouched in ("service-discovery", "database-connectivity", "api-key-authentication"):
        assert seen.verdicts[untouched] == "fixed"
    assert seen.signatures("mlflow-internal-connectivity") == {"refused-or-timeout"}
    assert "connect-timeout" in seen.failed["mlflow-answers-inside-the-network"]
    proxy = seen.failed["the-mlflow-proxy-reaches-mlflow"]
    assert "502" in proxy
    assert "Failed to connect to MLflow server at http://mlflow.hokusai.local:5000" in proxy
    assert seen.root_causes == ["security-groups-admit[api-to-mlflow]"]
    expect_green(judge_until_green(lab, reports))


def test_without_its_user_the_api_logs_in_as_postgres(lab: Variables, reports: Path) -> None:
    before = variables_of(lab, API)
    deploy(lab, API, [each for each in before if each["name"] != "DB_USER"])
    try:
        seen = judge(lab, reports)
    finally:
        deploy(lab, API, before)
    assert seen.exit_code == 1
    assert seen.verdicts["database-connectivity"] == "reproduced"
    assert seen.signatures("database-connectivity") == {"login-as-postgres"}
    login = seen.failed["the-api-can-log-in-to-its-database"]
    assert 'password authentication failed for user "postgres"' in login
    assert seen.verdicts["mlflow-internal-connectivity"] == "fixed"
    assert seen.root_causes == ["the-api-is-given-its-database-user"]
    expect_green(judge_until_green(lab, reports))


def test_a_deregistered_instance_cannot_be_found(lab: Variables, reports: Path) -> None:
    cloud_map = client(lab, "servicediscovery")
    (service,) = [
        each for each in cloud_map.list_services()["Services"] if each["Name"] == "mlflow"
    ]
    (instance,) = cloud_map.list_instances(ServiceId=service["Id"])["Instances"]
    cloud_map.deregister_instance(ServiceId=service["Id"], InstanceId=instance["Id"])
    try:
        seen = judge(lab, reports)
    finally:
        cloud_map.register_instance(
            ServiceId=service["Id"],
            InstanceId=instance["Id"],
            CreatorRequestId="by-hand",
            Attributes=instance["Attributes"],
        )
    assert seen.exit_code == 1
    for follows in ("registry-api-outage", "mlflow-internal-connectivity", "service-discovery"):
        assert seen.verdicts[follows] == "reproduced"
    assert seen.signatures("mlflow-internal-connectivity") == {"name-not-resolving"}
    assert seen.root_causes == ["cloud-map-knows-the-running-task-of-mlflow"]
    assert seen.verdicts["database-connectivity"] == "fixed"
    expect_green(judge_until_green(lab, reports))


def test_a_stopped_mlflow_refuses_and_comes_back(lab: Variables, reports: Path) -> None:
    ecs, mlflow = client(lab, "ecs"), "hokusai-mlflow-development"
    ecs.update_service(cluster=CLUSTER, service=mlflow, desiredCount=0)
    try:
        wait_for_rollout(lab, mlflow)
        seen = judge(lab, reports)
    finally:
        ecs.update_service(cluster=CLUSTER, service=mlflow, desiredCount=1)
        wait_for_rollout(lab, mlflow)
    assert seen.exit_code == 1
    assert seen.verdicts["registry-api-outage"] == "reproduced"
    assert seen.root_causes == ["the-service-wants-tasks[mlflow]"]
    expect_green(judge_until_green(lab, reports))


def test_the_incident_has_a_failed_symptom_of_every_documented_failure(reports: Path) -> None:
    with session.start("incident-2025-08-06") as incident:
        seen = judge(incident.environment, reports)
    assert seen.exit_code == 1
    assert set(seen.verdicts) == DOCUMENTED
    assert len(DOCUMENTED) == 8
    assert set(seen.verdicts.values()) == {"reproduced"}
    assert [failure for failure in DOCUMENTED if not seen.symptoms_failed(failure)] == []
