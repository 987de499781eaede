"""Logs: of the tasks, of the database, and of the load balancers around their errors."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from typing import Any

from harness.aws import view
from harness.bundle.source import MAX_BYTES, MAX_EVENTS, Source
from harness.observation import FailureKind
from harness.probes.stage import StageError

File = tuple[str, str]
MAX_OBJECTS = 200
# A server error, or (460) a client that gave up before there was an answer.
_ERRORS = ("5", "460")
_STATUS = 8
_DAY_S = 86_400
_GZIP = 31


def task_logs(source: Source) -> Iterator[File]:
    """Yield the log of each service's tasks, as its task definition says where it goes."""
    definitions = source.section("task-definitions")["taskDefinitions"]
    for service in view.names(source.environment).services.values():
        deployed = _service(source, service.service).get("taskDefinition", "")
        container = view.container(definitions.get(deployed, {}), service.container)
        options = container.get("logConfiguration", {}).get("options", {})
        group = options.get("awslogs-group", f"/ecs/{service.service}")
        yield f"{service.service}.log", _events(source, group)


def _events(source: Source, group: str) -> str:
    found = source.read(
        "logs",
        "filter_log_events",
        logGroupName=group,
        startTime=int(source.since * 1000),
        PaginationConfig={"MaxItems": MAX_EVENTS},
    ).get("events", [])
    lines = (f"{_time(e['timestamp'])} {e['logStreamName']} {e['message']}" for e in found)
    return _bounded("\n".join(lines) + "\n")


def database_logs(source: Source) -> Iterator[File]:
    """Yield the database's own log files of the time, the end of each."""
    instance = source.environment.need("database.instance")
    files = source.read(
        "rds",
        "describe_db_log_files",
        DBInstanceIdentifier=instance,
        FileLastWritten=int(source.since * 1000),
    ).get("DescribeDBLogFiles", [])
    for each in files:
        name = each["LogFileName"]
        portion = source.read(
            "rds",
            "download_db_log_file_portion",
            DBInstanceIdentifier=instance,
            LogFileName=name,
            NumberOfLines=MAX_EVENTS,
        )
        yield name.replace("/", "-") + ".txt", _bounded(portion.get("LogFileData", ""))


def access_logs(source: Source) -> Iterator[File]:
    """Yield, by load balancer, the access-log lines that end in a server error."""
    for balancer in source.section("load-balancers")["LoadBalancers"]:
        arn, name = balancer["LoadBalancerArn"], balancer["LoadBalancerName"]
        told = source.read("elbv2", "describe_load_balancer_attributes", LoadBalancerArn=arn)
        attributes = {each["Key"]: each["Value"] for each in told["Attributes"]}
        if attributes.get("access_logs.s3.enabled") != "true":
            yield (
                f"{name}.txt",
                f"{name} writes no access log: access_logs.s3.enabled is not true\n",
            )
            continue
        lines = list(_errors(source, attributes, arn))
        summary = (
            f"# {len(lines)} requests of the last {source.hours} h ended with a server error\n"
        )
        yield f"{name}-5xx.log", _bounded(summary + "".join(f"{line}\n" for line in lines))


def _errors(source: Source, attributes: dict[str, str], arn: str) -> Iterator[str]:
    bucket = attributes["access_logs.s3.bucket"]
    for key in _objects(source, bucket, attributes.get("access_logs.s3.prefix", ""), arn):
        packed = source.clients.read_body("s3", "get_object", MAX_BYTES, Bucket=bucket, Key=key)
        for line in _unpacked(packed).decode("utf-8", "replace").splitlines():
            if _status(line).startswith(_ERRORS):
                yield line


def _unpacked(packed: bytes) -> bytes:
    """What a gzip file holds, as far as it goes: of a large one only the beginning was read."""
    try:
        return zlib.decompressobj(_GZIP).decompress(packed, 4 * MAX_BYTES)
    except zlib.error as error:
        raise StageError(FailureKind.AWS_ERROR, f"an access log is no gzip file: {error}") from None


def _days(since: float, until: float) -> list[str]:
    """Every day (UTC) of a time, as the access logs' folders are named."""
    first, last = int(since // _DAY_S), int(until // _DAY_S)
    return [time.strftime("%Y/%m/%d", time.gmtime(day * _DAY_S)) for day in range(first, last + 1)]


def _status(line: str) -> str:
    """The load balancer's status code: the ninth field of a line."""
    fields = line.split(" ", _STATUS + 1)
    return fields[_STATUS] if len(fields) > _STATUS else ""


def _objects(source: Source, bucket: str, prefix: str, arn: str) -> list[str]:
    """The latest objects of a load balancer, the oldest first."""
    found: list[dict[str, Any]] = []
    _, _, _, region, account, _ = arn.split(":", 5)
    identifier = arn.partition("loadbalancer/")[2].replace("/", ".")
    for day in _days(source.since, time.time()):
        path = f"{prefix}/AWSLogs/{account}/elasticloadbalancing/{region}/{day}/".lstrip("/")
        listed = source.read(
            "s3", "list_objects_v2", Bucket=bucket, Prefix=path,
            PaginationConfig={"MaxItems": 10 * MAX_OBJECTS},
        )  # fmt: skip
        found += [each for each in listed.get("Contents", []) if identifier in each["Key"]]
    recent = [each for each in found if float(each["LastModified"]) >= source.since]
    recent.sort(key=lambda each: float(each["LastModified"]))
    return [each["Key"] for each in recent[-MAX_OBJECTS:]]


def _service(source: Source, name: str) -> dict[str, Any]:
    services = source.section("services").get("services", [])
    return next((each for each in services if each["serviceName"] == name), {})


def _time(milliseconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(milliseconds / 1000))


def _bounded(text: str) -> str:
    """The end of a text, which is what matters of a log."""
    if len(text) <= MAX_BYTES:
        return text
    return f"… the first {len(text) - MAX_BYTES} characters are left out\n{text[-MAX_BYTES:]}"
