"""The suite's own way into a task, on a whole lab: documented steps, testinfra's facts, loads."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest

from harness.ecs_exec import EcsExec
from harness.ecs_exec.backend import get_host
from harness.project import ROOT
from lab import names, session

API = (names.CLUSTER, "hokusai-api-development", "hokusai-api")
LOGIN = (
    "PGPASSWORD=$DB_PASSWORD PGCONNECT_TIMEOUT=5 "
    'psql -h "$DB_HOST" -U "${DB_USER:-postgres}" -d mlflow_db -c "select 1"'
)


@pytest.fixture(scope="module")
def lab() -> Iterator[dict[str, str]]:
    with session.start("incident-2025-08-06") as started:
        yield started.environment


@pytest.fixture(scope="module")
def ecs(lab: dict[str, str]) -> Any:
    return boto3.client(
        "ecs",
        endpoint_url=lab["AWS_ENDPOINT_URL"],
        region_name=lab["AWS_REGION"],
        aws_access_key_id=lab["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=lab["AWS_SECRET_ACCESS_KEY"],
    )


@pytest.fixture(scope="module")
def api(ecs: Any) -> EcsExec:
    return EcsExec(ecs, *API)


@pytest.fixture(scope="module")
def host(ecs: Any) -> Any:
    return get_host("ecs://" + "/".join(API), ecs=ecs)


def test_failure_2_from_the_ecs_task_the_login_fails_as_documented(host: Any) -> None:
    tried = host.run(LOGIN)
    assert tried.rc == 2
    assert 'password authentication failed for user "postgres"' in tried.stderr


def test_failure_3_from_the_api_container_mlflow_cannot_be_reached(host: Any) -> None:
    tried = host.run("curl -sS http://mlflow.hokusai.local:5000/health")
    assert (tried.rc, tried.stdout) == (6, "")
    assert tried.stderr == "curl: (6) Could not resolve host: mlflow.hokusai.local\n"


def test_failure_7_the_internal_name_does_not_resolve(host: Any) -> None:
    assert host.run("getent hosts mlflow.hokusai.local").rc == 2
    assert not host.addr("mlflow.hokusai.local").is_resolvable


def test_testinfras_facts_are_those_of_the_task(host: Any) -> None:
    assert host.environment()["MLFLOW_SERVER_URL"] == "http://mlflow.hokusai.local:5000"
    assert "DB_USER" not in host.environment()
    assert host.file("/etc/hosts").exists
    assert not host.file("/nowhere").exists
    assert host.check_output("echo %s", "a b") == "a b"
    assert host.process.filter(comm="sh")
    assert not host.socket("tcp://127.0.0.1:1").is_listening


def test_the_command_line_gives_the_exit_code_and_the_outputs(lab: dict[str, str]) -> None:
    command = [sys.executable, "-m", "harness.ecs_exec", "/".join(API), "--"]
    done = subprocess.run(
        [*command, "sh", "-c", "echo out; echo err >&2; exit 9"],
        cwd=ROOT,
        env={**os.environ, **lab},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (9, b"out\n", b"err\n")


def test_two_hundred_commands_in_a_row_lose_nothing(api: EcsExec) -> None:
    for number in range(200):
        answer = api.run(f"echo {number}; exit {number}")
        assert (answer.status, answer.stdout) == (number, b"%d\n" % number)


def test_twenty_commands_at_once_do_not_mix(api: EcsExec) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: api.run(f"echo {n}; exit {n}"), range(20)))
    assert [(a.status, a.stdout) for a in answers] == [(n, b"%d\n" % n) for n in range(20)]


def test_five_mebibytes_of_any_bytes_arrive_whole(api: EcsExec) -> None:
    script = "{ head -c 5242880 /dev/urandom | tee /dev/fd/3 | sha256sum >&2; } 3>&1"
    answer = api.run(script, deadline=60)
    assert len(answer.stdout) == 5_242_880
    assert answer.stderr.split()[0].decode() == hashlib.sha256(answer.stdout).hexdigest()


def test_an_interrupted_caller_ends_the_command(lab: dict[str, str], api: EcsExec) -> None:
    mark = f"sleep 4{time.time_ns() % 10**6}"
    command = [sys.executable, "-m", "harness.ecs_exec", "/".join(API), "--", *mark.split()]
    caller = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **lab})
    runs = f"for p in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$p; echo; done | grep -c '^{mark} '"
    assert _until(lambda: api.run(runs).stdout.strip() == b"1")
    caller.send_signal(2)
    assert caller.wait(10) == 130
    assert _until(lambda: api.run(runs).stdout.strip() == b"0")


def _until(holds: Any, within: float = 30.0) -> bool:
    until = time.monotonic() + within
    while not (held := holds()) and time.monotonic() < until:
        time.sleep(0.05)
    return bool(held)
