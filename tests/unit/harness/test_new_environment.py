"""An environment file drafted from an account: names where they are sure, questions where not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import environment, new_environment
from harness.errors import UsageError
from tests.unit.bundle.reading import Answer, Table

GROUP = "arn:aws:elasticloadbalancing:r:1:targetgroup/api-tg/1"


def service(name: str, **more: Any) -> dict[str, Any]:
    return {"serviceName": name, "taskDefinition": f"arn:task-definition/{name}:1", **more}


def account(**more: Answer) -> Table:
    container = {"name": "main", "portMappings": [{"containerPort": 8001}]}
    balanced = [{"containerName": "main", "targetGroupArn": GROUP}]
    group = {
        "TargetGroupName": "api-tg",
        "HealthCheckPath": "/ready",
        "LoadBalancerArns": ["arn:aws:elasticloadbalancing:r:1:loadbalancer/app/front/5"],
        "Matcher": {"HttpCode": "200-299"},
    }
    answers: dict[str, Answer] = {
        "ecs.list_clusters": {"clusterArns": ["arn:aws:ecs:r:1:cluster/stage"]},
        "ecs.list_services": {"serviceArns": ["1", "2"]},
        "ecs.describe_services": {
            "services": [service("x-api-stage", loadBalancers=balanced), service("x-mlflow-stage")]
        },
        "ecs.describe_task_definition": {"taskDefinition": {"containerDefinitions": [container]}},
        "elbv2.describe_target_groups": {"TargetGroups": [group]},
        "rds.describe_db_instances": {"DBInstances": [{"DBInstanceIdentifier": "db-stage"}]},
        "secretsmanager.list_secrets": {"SecretList": [{"Name": "one"}, {"Name": "two"}]},
    }
    return Table({**answers, **more})


def test_what_is_sure_is_filled_in_and_what_is_not_is_asked_for() -> None:
    text = new_environment.draft("staging", account(), "us-east-1", None)
    document = yaml.safe_load(text)
    assert document["aws"]["cluster"] == "stage"
    assert document["database"]["instance"] == "db-stage"
    assert document["aws"]["services"]["api"] == {
        "service": "x-api-stage",
        "container": "main",
        "port": 8001,
        "target_group": "api-tg",
        "load_balancer": "front",
        "health": ["/ready", "200-299"],
    }
    assert "secret:   # REQUIRED: not to be found out from AWS: one of one, two" in text
    assert "service:   # REQUIRED: not to be found out from AWS: one of x-api-stage" in text


def test_what_is_deployed_and_the_other_target_groups_are_hints() -> None:
    container = {"name": "main", "image": "1.example/team/api:1.2", "portMappings": []}
    groups: Answer = {"TargetGroups": [{"TargetGroupName": "first"}, {"TargetGroupName": "second"}]}
    aws = account(
        **{
            "ecs.describe_task_definition": {
                "taskDefinition": {"containerDefinitions": [container]}
            },
            "elbv2.describe_target_groups": groups,
        }
    )
    text = new_environment.draft("staging", aws, "us-east-1", None)
    assert "# image: team/api:1.2  # deployed now" in text
    assert "target_group: first  # or: second" in text


def test_a_draft_is_refused_until_it_is_filled_in(tmp_path: Path) -> None:
    new_environment.write(tmp_path, "staging", account(), "us-east-1", None)
    with pytest.raises(
        UsageError, match=r"staging\.yaml: without a value: registry\.url, mlflow\.url, auth"
    ):
        environment.load("staging", tmp_path, {})


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "staging.yaml").write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        new_environment.write(tmp_path, "staging", account(), "us-east-1", None)
    assert (tmp_path / "staging.yaml").read_text() == "mine"


@pytest.mark.parametrize("name", ["../x", "Prod", "a b", ""])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is no name for an environment"):
        new_environment.write(tmp_path, name, account(), "us-east-1", None)


@pytest.mark.parametrize(("known", "told"), [(["a", "b"], "a, b"), ([], "none")])
def test_of_several_clusters_one_has_to_be_chosen(known: list[str], told: str) -> None:
    arns = {"clusterArns": [f"arn:cluster/{each}" for each in known]}
    aws = account(**{"ecs.list_clusters": arns})
    with pytest.raises(UsageError, match=f"CLUSTER=…: this account and region have {told}"):
        new_environment.draft("staging", aws, "us-east-1", None)


def test_the_chosen_cluster_is_taken() -> None:
    aws = account(**{"ecs.list_clusters": {"clusterArns": ["arn:cluster/a", "arn:cluster/b"]}})
    document = yaml.safe_load(new_environment.draft("staging", aws, "us-east-1", "b"))
    assert document["aws"]["cluster"] == "b"
