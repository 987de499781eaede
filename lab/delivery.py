"""Brings logs to where AWS keeps them: tasks' to CloudWatch Logs, load balancers' to S3, RDS's own.

AWS delivers within seconds (tasks) to minutes (load balancers); here it happens within a second,
and whenever somebody looks.
"""

from __future__ import annotations

import datetime as dt
import gzip
import logging
import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from lab import names
from lab.aws.answer import Answer, AwsError
from lab.aws.backends import Backends
from lab.aws.call import Call
from lab.aws.hooks import Hooks
from lab.ecs.model import Service

_EVERY_S = 1.0
_LOG_FILE = "error/postgresql.log"
_RDS = 'xmlns="http://rds.amazonaws.com/doc/2014-10-31/"'
_XML = {"Content-Type": "text/xml"}
_log = logging.getLogger(__name__)


class Delivery:
    """Runs from `start` to `stop`; `install` also answers RDS's operations on log files."""

    def __init__(
        self, backends: Backends, services: Mapping[str, Service], folder: Path, access_log: Path
    ) -> None:
        """`folder` holds a log for each task; nothing of it is changed."""
        self._backends, self._services = backends, services
        self._folder, self._access_log = folder, access_log
        self._read: defaultdict[Path, int] = defaultdict(int)
        self._delivering, self._ending = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="logs", daemon=True)

    def install(self, hooks: Hooks) -> None:
        """Deliver before anybody reads, and answer for the database's log files."""
        for operation in ("FilterLogEvents", "GetLogEvents", "DescribeLogStreams"):
            hooks.handle("logs", operation, self._deliver_first)
        hooks.gate(self._before_s3)
        hooks.handle("rds", "DescribeDBLogFiles", self._describe_files)
        hooks.handle("rds", "DownloadDBLogFilePortion", self._download)

    def start(self) -> None:
        """Deliver from a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def deliver(self) -> None:
        """Bring everything that was written since the last time."""
        with self._delivering:
            self._deliver_tasks()
            self._deliver_access()

    def _run(self) -> None:
        while not self._ending.wait(_EVERY_S):
            try:
                self.deliver()
            except Exception:
                _log.exception("delivering logs")

    def _deliver_first(self, _call: Call) -> None:
        self.deliver()

    def _before_s3(self, call: Call) -> None:
        if call.service == "s3" and call.operation.startswith("GET"):
            self.deliver()

    def _deliver_tasks(self) -> None:
        with self._backends.lock:
            tasks = [(s, task) for s in self._services.values() for task in s.tasks]
        for service, task in tasks:
            lines = self._new_lines(self._folder / f"{service.name}-{task.id[:8]}.log")
            options = task.container.get("logConfiguration", {}).get("options", {})
            if lines and options.get("awslogs-group"):
                prefix = options.get("awslogs-stream-prefix", "ecs")
                stream = f"{prefix}/{task.container['name']}/{task.id}"
                self._put_events(options["awslogs-group"], stream, lines)

    def _put_events(self, group: str, stream: str, lines: list[str]) -> None:
        now = int(time.time() * 1000)
        with self._backends.lock:
            found = self._backends.logs.groups.get(group)
            if found is None:
                return
            if stream not in found.streams:
                found.create_log_stream(stream)
            found.put_log_events(stream, [{"timestamp": now, "message": line} for line in lines])

    def _deliver_access(self) -> None:
        by_balancer: defaultdict[str, list[str]] = defaultdict(list)
        for line in self._new_lines(self._access_log):
            by_balancer[line.split(" ", 3)[2]].append(line)
        with self._backends.lock:
            for balancer in self._backends.elbv2.load_balancers.values():
                lines = by_balancer.get(balancer.arn.partition("loadbalancer/")[2])
                if lines and balancer.attrs.get("access_logs.s3.enabled") == "true":
                    self._put_object(balancer, lines)

    def _put_object(self, balancer: Any, lines: list[str]) -> None:
        bucket = balancer.attrs["access_logs.s3.bucket"]
        if bucket in self._backends.s3.buckets:
            body = gzip.compress("".join(f"{line}\n" for line in lines).encode())
            self._backends.s3.put_object(bucket, self._key(balancer), body)

    def _key(self, balancer: Any) -> str:
        """As AWS names them: by account, region, day, load balancer, end of the interval."""
        now, account, region = dt.datetime.now(dt.UTC), self._backends.account, names.REGION
        identifier = balancer.arn.partition("loadbalancer/")[2].replace("/", ".")
        prefix = str(balancer.attrs.get("access_logs.s3.prefix", "")).strip("/")
        path = f"AWSLogs/{account}/elasticloadbalancing/{region}/{now:%Y/%m/%d}"
        name = f"{account}_elasticloadbalancing_{region}_{identifier}_{now:%Y%m%dT%H%MZ}"
        return f"{prefix}/{path}".lstrip("/") + f"/{name}_{secrets.token_hex(4)}.log.gz"

    def _new_lines(self, path: Path) -> list[str]:
        """Whole lines only: one that is being written is for the next time."""
        if not path.exists() or path.stat().st_size <= self._read[path]:
            return []
        with path.open("rb") as stream:
            stream.seek(self._read[path])
            whole, newline, _rest = stream.read().rpartition(b"\n")
        self._read[path] += len(whole) + len(newline)
        return whole.decode("utf-8", "replace").splitlines()

    def _describe_files(self, call: Call) -> Answer:
        path = self._database_log(call)
        written = int(path.stat().st_mtime * 1000) if path.exists() else 0
        size = path.stat().st_size if path.exists() else 0
        details = (
            f"<DescribeDBLogFilesDetails><LogFileName>{_LOG_FILE}</LogFileName>"
            f"<LastWritten>{written}</LastWritten><Size>{size}</Size></DescribeDBLogFilesDetails>"
        )
        return _answer("DescribeDBLogFiles", f"<DescribeDBLogFiles>{details}</DescribeDBLogFiles>")

    def _download(self, call: Call) -> Answer:
        path = self._database_log(call)
        if call.parameters.get("LogFileName") != _LOG_FILE:
            text = (
                f"DBLog File: {call.parameters.get('LogFileName')}, is not found on the DB instance"
            )
            raise AwsError("DBLogFileNotFoundFault", text, 404)
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        wanted = lines[-int(call.parameters.get("NumberOfLines", len(lines)) or 0) :]
        data = escape("".join(f"{_printable(line)}\n" for line in wanted))
        pending = "<Marker>0</Marker><AdditionalDataPending>false</AdditionalDataPending>"
        return _answer("DownloadDBLogFilePortion", f"<LogFileData>{data}</LogFileData>{pending}")

    def _database_log(self, call: Call) -> Path:
        identifier = call.parameters.get("DBInstanceIdentifier", "")
        with self._backends.lock:
            if identifier not in self._backends.rds.databases:
                raise AwsError("DBInstanceNotFound", f"DBInstance {identifier} not found.", 404)
        return self._folder / "postgres.log"


def _answer(operation: str, content: str) -> Answer:
    result = f"<{operation}Result>{content}</{operation}Result>"
    return Answer(200, f"<{operation}Response {_RDS}>{result}</{operation}Response>".encode(), _XML)


def _printable(line: str) -> str:
    """XML has no way to write most control characters."""
    return "".join(char if char >= " " or char == "\t" else "?" for char in line)
