"""Nothing is written by a run or a bundle, seen from the lab's side; the IAM policy is enough."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import audit
from harness.aws import operations
from lab import home, session
from lab.home import ROOT
from tests.matrix.judging import judge
from tests.matrix.test_by_hand import Variables, client

POLICY = ROOT / "environments" / "iam-policy.json"
USER = "hokusai-acceptance"
WROTE = re.compile(
    r"(?:statement|execute [^:]*): *(INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|TRUNCATE)"
)
REQUEST = re.compile(r'"(\w+) https?://[^/]+(/\S*) HTTP')
# One handed-out identity; S3's calls come without the name of an operation.
REST = {"s3"}


def logs_of(lab: session.LabSession) -> Path:
    return next(Path(each.logs) for each in home.running() if each.number == lab.number)


@pytest.fixture(scope="module")
def lab() -> Iterator[session.LabSession]:
    with session.start("healthy") as started:
        yield started


@pytest.fixture(scope="module")
def least(lab: session.LabSession) -> Variables:
    """The lab, in which the suite may do what the policy says, and nothing else."""
    document = json.loads(POLICY.read_text())
    for statement in document["Statement"]:
        # The lab does not look at resources.
        statement["Resource"] = "*"
    iam = client(lab.environment, "iam")
    others = iam.list_user_policies(UserName=USER)["PolicyNames"]
    iam.put_user_policy(UserName=USER, PolicyName="least", PolicyDocument=json.dumps(document))
    for name in others:
        iam.delete_user_policy(UserName=USER, PolicyName=name)
    return {**lab.environment, "HOKUSAI_POLICY_WRITES": "false"}


@pytest.fixture(scope="module")
def watched(
    lab: session.LabSession, least: Variables, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, str], int]:
    """Every check and a bundle: where the reports are, what the lab's logs then say, the code."""
    logs = logs_of(lab)
    before = {path: path.stat().st_size for path in logs.iterdir() if path.is_file()}
    reports = tmp_path_factory.mktemp("reports")
    judged = judge(least, reports)
    assert judged.exit_code == 0, judged.output
    done = subprocess.run(
        [sys.executable, "-m", "harness", "bundle", "--env", "local", f"--reports={reports}"],
        cwd=ROOT, env={**os.environ, **least}, capture_output=True, text=True, timeout=90,
        check=False,
    )  # fmt: skip
    said = {}
    for path in logs.iterdir():
        if path.is_file():
            with path.open("rb") as log:
                log.seek(before.get(path, 0))
                said[path.name] = log.read().decode(errors="replace")
    return reports, said, done.returncode


def performed(reports: Path) -> set[str]:
    files = [*reports.glob("local/*/audit.jsonl")]
    assert len({file.resolve() for file in files}) == 2
    entries = [entry for file in files for entry in audit.read(file)]
    assert all(entry.performed for entry in entries)
    return {entry.what for entry in entries if entry.kind == "aws"}


def test_the_policy_is_enough_and_nothing_in_it_is_unused(
    watched: tuple[Path, dict[str, str], int],
) -> None:
    reports, _said, bundled = watched
    assert bundled == 0
    assert performed(reports) == {f"{each.service}:{each.name}" for each in operations.ALLOWED}


def test_aws_was_asked_what_the_audit_list_says_and_nothing_else(
    watched: tuple[Path, dict[str, str], int],
) -> None:
    reports, said, _bundled = watched
    calls: list[dict[str, Any]] = [json.loads(line) for line in said["aws-calls.log"].splitlines()]
    seen = {each["operation"] for each in calls if each["service"] not in REST}
    listed = {each.partition(":")[2] for each in performed(reports)} - {
        "GetObject",
        "ListObjectsV2",
    }
    assert seen == listed


def test_nothing_was_written_to_the_database(watched: tuple[Path, dict[str, str], int]) -> None:
    _reports, said, _bundled = watched
    assert "connection authorized" in said["postgres.log"]
    assert not WROTE.findall(said["postgres.log"])


def test_no_request_but_safe_ones_and_the_validation_of_keys(
    watched: tuple[Path, dict[str, str], int],
) -> None:
    _reports, said, _bundled = watched
    requests = REQUEST.findall(said["alb-access.log"])
    assert len(requests) > 20
    writing = {path for method, path in requests if method not in ("GET", "HEAD", "OPTIONS")}
    assert writing == {"/api/v1/keys/validate"}


def test_the_lab_would_see_a_write(lab: session.LabSession) -> None:
    logs = logs_of(lab)
    size = (logs / "postgres.log").stat().st_size
    command = (
        "import os, psycopg2; c = psycopg2.connect(host=os.environ['DB_HOST'], user='mlflow', "
        "password=os.environ['DB_PASSWORD'], dbname='mlflow_db', sslmode='require'); "
        "c.cursor().execute('CREATE TABLE written (a int)'); c.commit()"
    )
    done = subprocess.run(
        [sys.executable, "-m", "lab", "exec", "--lab", str(lab.number), "api", "--", "python3",
         "-c", command],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert WROTE.findall((logs / "postgres.log").read_text()[size:])
