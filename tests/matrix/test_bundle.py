"""The evidence bundle on the lab: everything is there, nothing secret, what lacks is named."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from lab import session
from lab.home import ROOT
from tests.matrix.judging import judge
from tests.matrix.test_by_hand import Variables, client

ASKED_FOR = {
    "task-logs",
    "rds-logs",
    "security-groups",
    "cloud-map",
    "access-logs",
    "secret-configuration",
    "task-definitions",
    "deployments",
    "target-health",
    "database-users",
}


@pytest.fixture(scope="module")
def lab() -> Iterator[Variables]:
    with session.start("incident-2025-08-06") as started:
        yield started.environment


@pytest.fixture(scope="module")
def reports(lab: Variables, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a run of the suite has left its reports."""
    folder = tmp_path_factory.mktemp("reports")
    judge(lab, folder)
    return folder


def collect(lab: Variables, reports: Path) -> tuple[int, Path, dict[str, Any]]:
    before = set(reports.glob("local/bundle-*.zip"))
    done = subprocess.run(
        [sys.executable, "-m", "harness", "bundle", "--env", "local", f"--reports={reports}"],
        cwd=ROOT, env={**os.environ, **lab}, capture_output=True, text=True, timeout=90,
        check=False,
    )  # fmt: skip
    made = set(reports.glob("local/bundle-*.zip")) - before
    assert made, done.stdout + done.stderr
    folder = made.pop().with_suffix("")
    return done.returncode, folder, json.loads((folder / "index.json").read_text())


def test_everything_that_is_asked_for_is_there(lab: Variables, reports: Path) -> None:
    code, folder, index = collect(lab, reports)
    assert code == 0, index
    parts = {each["id"]: each for each in index["parts"]}
    assert set(parts) == ASKED_FOR
    for part in parts.values():
        assert part["lacking"] == ""
        assert part["files"]
        assert all((folder / name).stat().st_size for name in part["files"])
    assert "POST /api/v1/keys/validate" in text_of(folder, "task-logs")
    assert 'password authentication failed for user "postgres"' in text_of(folder, "rds-logs")
    assert "mlflow.hokusai-development.local: 127." in text_of(folder, "cloud-map")
    assert "hokusai-ecs-tasks-development" in text_of(folder, "security-groups")
    assert ":database_password::" in text_of(folder, "secret-configuration")
    assert '-      "image"' in text_of(folder, "task-definitions")
    assert "mlflow: current_user mlflow" in text_of(folder, "database-users")
    with zipfile.ZipFile(folder.with_suffix(".zip")) as packed:
        assert f"{folder.name}/index.md" in packed.namelist()


def test_no_secret_is_in_it_in_any_spelling(lab: Variables, reports: Path) -> None:
    _code, folder, _index = collect(lab, reports)
    secrets = client(lab, "secretsmanager")
    stored = secrets.get_secret_value(SecretId="hokusai/app-secrets/development")["SecretString"]
    values = [lab["HOKUSAI_API_KEY"], lab["AWS_SECRET_ACCESS_KEY"], *json.loads(stored).values()]
    spellings = {
        spelled
        for value in values
        for spelled in (value, quote(value, safe=""), base64.b64encode(value.encode()).decode())
    }
    for path in folder.rglob("*"):
        if path.is_file():
            text = path.read_text()
            assert not [each for each in spellings if each in text], path.name


def test_what_could_not_be_had_is_named_with_its_permission(lab: Variables, reports: Path) -> None:
    iam, user = client(lab, "iam"), "hokusai-acceptance"
    actions = ["logs:FilterLogEvents", "rds:DownloadDBLogFilePortion"]
    statement = {"Effect": "Deny", "Action": actions, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=user, PolicyName="less", PolicyDocument=document)
    try:
        code, folder, index = collect(lab, reports)
    finally:
        iam.delete_user_policy(UserName=user, PolicyName="less")
    assert code == 6
    lacking = {each["id"]: each for each in index["parts"] if each["lacking"]}
    assert set(lacking) == {"task-logs", "rds-logs"}
    assert "allow logs:FilterLogEvents" in lacking["task-logs"]["remedy"]
    assert "rds:DownloadDBLogFilePortion" in (folder / "index.md").read_text()


def text_of(folder: Path, part: str) -> str:
    return "".join(path.read_text() for path in sorted((folder / part).iterdir()))
