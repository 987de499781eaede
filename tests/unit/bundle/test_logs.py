"""Logs in the bundle: where they are looked for, what is kept of them, how much at most."""

from __future__ import annotations

import gzip
import time
from typing import Any

import pytest

from harness.bundle import logs
from harness.probes.stage import StageError
from tests.unit.bundle.reading import Answer, Table, source

ARN = "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/registry/ab"
BALANCERS = {"LoadBalancers": [{"LoadBalancerArn": ARN, "LoadBalancerName": "registry"}]}
LINE = "https 2025-08-06T10:00:00Z app/registry/ab 1.2.3.4:5 10.0.0.1:8001 0 0 0 {} - 1 2 -"
SERVICES = {
    "services": [
        {"serviceName": "hokusai-api-development", "taskDefinition": "arn:task-definition/api:2"}
    ]
}


def definition(**options: str) -> dict[str, Any]:
    container = {"name": "hokusai-api", "logConfiguration": {"options": options}}
    return {"taskDefinitions": {"arn:task-definition/api:2": {"containerDefinitions": [container]}}}


def attributes(**given: str) -> dict[str, Any]:
    return {"Attributes": [{"Key": key.replace("__", "."), "Value": v} for key, v in given.items()]}


def access(
    body: bytes, key: str = "AWSLogs/x_app.registry.ab_1.log.gz", **more: Any
) -> dict[str, Any]:
    listed = {"Contents": [{"Key": key, "LastModified": time.time()}]}
    # Soon after midnight, yesterday's folder is looked into as well.
    today = time.strftime("/%Y/%m/%d", time.gmtime())
    return {
        "elbv2.describe_load_balancer_attributes": attributes(
            access_logs__s3__enabled="true", access_logs__s3__bucket="logs"
        ),
        "s3.list_objects_v2": lambda **asked: listed if today in asked["Prefix"] else {},
        "s3.get_object": {"Body": body},
        **more,
    }


def read_access(answers: dict[str, Any]) -> dict[str, str]:
    return dict(logs.access_logs(source(answers, hours=1, load_balancers=BALANCERS)))


def test_task_logs_come_from_where_the_task_definition_sends_them() -> None:
    event = {"timestamp": 1754474400000, "logStreamName": "api/1", "message": "502 from MLflow"}
    asking = source(
        {"logs.filter_log_events": lambda **asked: {"events": [event]} if asked else {}},
        services=SERVICES,
        task_definitions=definition(**{"awslogs-group": "/ecs/elsewhere"}),
    )
    found = dict(logs.task_logs(asking))
    assert found["hokusai-api-development.log"] == "2025-08-06T10:00:00Z api/1 502 from MLflow\n"
    assert isinstance(asking.clients, Table)
    groups = [parameters["logGroupName"] for _name, parameters in asking.clients.asked]
    assert "/ecs/elsewhere" in groups
    # Where no task definition says so, the platform's own naming does.
    assert "/ecs/hokusai-auth-development" in groups


def test_of_the_access_logs_only_server_errors_are_kept() -> None:
    body = gzip.compress("\n".join(LINE.format(s) for s in (200, 502, 404, 460)).encode())
    found = read_access(access(body))["registry-5xx.log"]
    assert found.splitlines()[0].startswith("# 2 requests")
    assert [line.split()[8] for line in found.splitlines()[1:]] == ["502", "460"]


def test_an_access_log_that_is_cut_off_gives_what_it_holds() -> None:
    whole = gzip.compress("\n".join(f"{LINE.format(503)} {n}" for n in range(9000)).encode())
    found = read_access(access(whole[: len(whole) // 2]))["registry-5xx.log"]
    assert found.splitlines()[1].split()[8] == "503"


def test_an_object_that_is_no_log_is_told() -> None:
    with pytest.raises(StageError, match="no gzip file"):
        read_access(access(b"not a log"))


def test_logs_of_another_load_balancer_are_not_read() -> None:
    answers = access(b"never read", key="AWSLogs/x_app.other.cd_1.log.gz")
    assert read_access(answers)["registry-5xx.log"].startswith("# 0 requests")


def test_a_balancer_without_access_logs_is_told() -> None:
    answers = {"elbv2.describe_load_balancer_attributes": attributes()}
    assert "access_logs.s3.enabled is not true" in read_access(answers)["registry.txt"]


def test_every_day_of_the_time_is_looked_into() -> None:
    noon = 1754481600.0
    assert logs._days(noon - 49 * 3600, noon) == ["2025/08/04", "2025/08/05", "2025/08/06"]


def test_a_long_log_keeps_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_BYTES", 10)
    answers: dict[str, Answer] = {
        "rds.describe_db_log_files": {"DescribeDBLogFiles": [{"LogFileName": "error/pg.log"}]},
        "rds.download_db_log_file_portion": {"LogFileData": "old news; FATAL: now"},
    }
    ((name, text),) = logs.database_logs(source(answers))
    assert name == "error-pg.log.txt"
    assert text.endswith("ATAL: now")
    assert "10 characters are left out" in text
