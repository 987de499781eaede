"""Logs arrive where AWS keeps them, whole, once, and as AWS names and writes them."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lab import names
from lab.delivery import Delivery
from tests.unit.lab.small_platform import SmallPlatform

GROUP, INSTANCE = "/ecs/of-this-test", names.DATABASE_INSTANCE
TASK = SimpleNamespace(
    id="0123456789abcdef",
    container={
        "name": "api",
        "logConfiguration": {"options": {"awslogs-group": GROUP, "awslogs-stream-prefix": "p"}},
    },
)


@pytest.fixture
def folder(platform: SmallPlatform, tmp_path: Path) -> Iterator[Path]:
    """A folder of logs; what is in it is delivered when somebody looks."""
    services: dict[str, Any] = {"api": SimpleNamespace(name="api", tasks=[TASK])}
    delivery = Delivery(platform.backends, services, tmp_path, tmp_path / "access.log")
    delivery.install(platform.hooks)
    platform.aws.logs.create_log_group(logGroupName=GROUP)
    yield tmp_path
    platform.aws.logs.delete_log_group(logGroupName=GROUP)


def messages(platform: SmallPlatform) -> list[str]:
    found = platform.aws.logs.filter_log_events(logGroupName=GROUP)["events"]
    return [each["message"] for each in found]


def balancer(platform: SmallPlatform) -> dict[str, Any]:
    found: Any = platform.aws.elbv2.describe_load_balancers()["LoadBalancers"]
    return dict(found[0])


def test_a_tasks_lines_come_once_and_whole(platform: SmallPlatform, folder: Path) -> None:
    log = folder / f"api-{TASK.id[:8]}.log"
    log.write_text("first\nhalf a l")
    assert messages(platform) == ["first"]
    log.write_text("first\nhalf a line\n")
    assert messages(platform) == ["first", "half a line"]
    streams = platform.aws.logs.describe_log_streams(logGroupName=GROUP)["logStreams"]
    assert [each["logStreamName"] for each in streams] == [f"p/api/{TASK.id}"]


def test_access_logs_are_packed_and_named_as_aws_does(
    platform: SmallPlatform, folder: Path
) -> None:
    given = balancer(platform)
    arn = given["LoadBalancerArn"]
    bucket = f"access-{folder.name}".replace("_", "-").lower()[:63]
    platform.aws.s3.create_bucket(Bucket=bucket)
    settings = {
        "access_logs.s3.enabled": "true",
        "access_logs.s3.bucket": bucket,
        "access_logs.s3.prefix": "below",
    }
    before = platform.aws.elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    platform.aws.elbv2.modify_load_balancer_attributes(
        LoadBalancerArn=arn, Attributes=[{"Key": k, "Value": v} for k, v in settings.items()]
    )
    line = f"https 2025-08-06T10:00:00Z {arn.partition('loadbalancer/')[2]} 1.2.3.4:5 - 0 0 0 502"
    try:
        (folder / "access.log").write_text(f"{line}\n")
        objects = platform.aws.s3.list_objects_v2(Bucket=bucket)["Contents"]
        body = platform.aws.s3.get_object(Bucket=bucket, Key=objects[0]["Key"])["Body"].read()
    finally:
        kept = [each for each in before if each["Key"].startswith("access_logs")]
        platform.aws.elbv2.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=kept)
    assert gzip.decompress(body).decode() == f"{line}\n"
    form = (
        r"below/AWSLogs/\d{12}/elasticloadbalancing/[a-z0-9-]+/\d{4}/\d\d/\d\d/\d{12}_.*\.log\.gz"
    )
    assert re.fullmatch(form, objects[0]["Key"])


def test_the_databases_log_comes_as_rds_gives_it(platform: SmallPlatform, folder: Path) -> None:
    (folder / "postgres.log").write_text('LOG: <ready>\nFATAL: "x" & \x07y\n')
    rds = platform.aws.rds
    (described,) = rds.describe_db_log_files(DBInstanceIdentifier=INSTANCE)["DescribeDBLogFiles"]
    assert described["Size"] > 0
    portion = rds.download_db_log_file_portion(
        DBInstanceIdentifier=INSTANCE, LogFileName=described["LogFileName"], NumberOfLines=1
    )
    assert portion["LogFileData"] == 'FATAL: "x" & ?y\n'


@pytest.mark.parametrize(
    ("instance", "file", "code"),
    [(INSTANCE, "no.log", "DBLogFileNotFoundFault"), ("nobody", "x", "DBInstanceNotFound")],
)
def test_what_is_not_there_is_refused_in_rds_own_words(
    platform: SmallPlatform, folder: Path, instance: str, file: str, code: str
) -> None:
    with pytest.raises(ClientError) as refused:
        platform.aws.rds.download_db_log_file_portion(
            DBInstanceIdentifier=instance, LogFileName=file
        )
    assert refused.value.response["Error"]["Code"] == code
