"""The diagnosis: of the incident, of changes that are in no list, and without permissions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import scenarios, session
from tests.matrix import cases
from tests.matrix.judging import Judged, judge, judge_until_green
from tests.matrix.pasting import paste
from tests.matrix.test_by_hand import DOCUMENTED, Variables, client

BLOCKED = 6
INCIDENT = "incident-2025-08-06"


@pytest.fixture(scope="module")
def lab() -> Iterator[Variables]:
    """A healthy lab, shared: every test leaves it as it found it."""
    with session.start("healthy") as started:
        yield started.environment


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    return tmp_path / "reports"


def named(seen: Judged) -> set[frozenset[str]]:
    return {
        frozenset((each["check"], *each.get("same", ()))) for each in seen.document["root_causes"]
    }


def group(lab: Variables, name: str) -> str:
    found = client(lab, "ec2").describe_security_groups(
        Filters=[{"Name": "group-name", "Values": [name]}]
    )
    identifier: str = found["SecurityGroups"][0]["GroupId"]
    return identifier


def mend_as_printed(seen: Judged, lab: Variables, folder: Path) -> None:
    for cause in seen.document["root_causes"]:
        for command in cause["finding"]["mend"]:
            paste(command, lab, folder)


def test_the_incidents_causes_are_those_that_were_put_in_and_explain_everything(
    reports: Path,
) -> None:
    put_in = [step.fault for step in scenarios.load(INCIDENT).faults]
    expected = {case.faults[0]: case.causes for case in cases.singles()}
    with session.start(INCIDENT) as started:
        seen = judge(started.environment, reports)
    assert named(seen) == {expected[fault] for fault in put_in}
    assert set(seen.verdicts) == DOCUMENTED
    assert set(seen.verdicts.values()) == {"reproduced"}
    explained = {each for cause in seen.document["root_causes"] for each in cause["explains"]}
    assert explained == DOCUMENTED
    assert seen.document["unexplained"] == []


def test_egress_narrowed_by_hand_is_named_and_mended_by_the_printed_command(
    lab: Variables, reports: Path, tmp_path: Path
) -> None:
    """In no list of faults: the tasks may still call HTTPS, and nothing else."""
    ec2, tasks = client(lab, "ec2"), group(lab, "hokusai-ecs-tasks-development")
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    https = {"FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.revoke_security_group_egress(GroupId=tasks, IpPermissions=everything)
    ec2.authorize_security_group_egress(
        GroupId=tasks, IpPermissions=[{"IpProtocol": "tcp", **https}]
    )
    seen = judge(lab, reports)
    (cause,) = named(seen)
    assert {
        "security-groups-admit[api-to-mlflow]",
        "security-groups-admit[api-to-database]",
    } <= cause
    (printed,) = seen.document["root_causes"]
    assert tasks in printed["finding"]["resource"]
    mend_as_printed(seen, lab, tmp_path)
    assert judge_until_green(lab, reports).failed == {}


def test_a_variable_changed_by_hand_is_named_and_mended_by_the_printed_commands(
    lab: Variables, reports: Path, tmp_path: Path
) -> None:
    """In no list of faults: the deprecated spelling of a variable wins nothing over a wrong one."""
    definition = tmp_path / "changed.json"
    family = "hokusai-api-development"
    edit = (
        ".taskDefinition | {family, networkMode, cpu, memory, requiresCompatibilities, "
        "executionRoleArn, taskRoleArn, containerDefinitions} "
        "| .containerDefinitions[0].environment |= "
        '(map(select(.name != "DB_NAME")) + [{"name": "DATABASE_NAME", "value": "mlflow"}])'
    )
    for command in (
        f"aws ecs describe-task-definition --task-definition {family} | jq '{edit}' > {definition}",
        f"aws ecs register-task-definition --cli-input-json file://{definition}",
        f"aws ecs update-service --cluster hokusai-development --service {family} "
        f"--task-definition {family}",
        f"aws ecs wait services-stable --cluster hokusai-development --services {family}",
    ):
        paste(command, lab, tmp_path)
    seen = judge(lab, reports)
    assert named(seen) == {frozenset({"the-api-is-given-its-database-name"})}
    assert 'database "mlflow" does not exist' in seen.failed["the-api-can-log-in-to-its-database"]
    mend_as_printed(seen, lab, tmp_path)
    assert judge_until_green(lab, reports).failed == {}


def test_without_a_permission_its_checks_are_blocked_and_name_the_action(
    lab: Variables, reports: Path
) -> None:
    """Not judged is not passed: a p0 check that could not be judged is an exit code of its own."""
    iam, user, action = client(lab, "iam"), "hokusai-acceptance", "servicediscovery:ListNamespaces"
    statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=user, PolicyName="less", PolicyDocument=document)
    try:
        seen = judge(lab, reports)
    finally:
        iam.delete_user_policy(UserName=user, PolicyName="less")
    assert seen.exit_code == BLOCKED, seen.failed
    assert "cloud-map-has-the-namespace" in seen.failed
    assert set(seen.document["counts"]) == {"blocked", "passed"}
    for message in seen.failed.values():
        assert action in message
