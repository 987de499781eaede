"""Bad days: each with one clear message, the right exit code, no traceback. docs/bad-input.md."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme

from harness.commands import main
from tests.unit.harness import servers
from tests.unit.harness.test_waivers import WITHOUT

ROOT = Path(__file__).parents[3]
USAGE, BLOCKED, FAILED = 4, 6, 1
CHECKS = """
import pytest
from harness import expect
from harness.aws import view
from harness.plugin.declare import probe, symptom
from harness.specs import AwsProbe, HttpProbe

@probe
def health(environment):
    return HttpProbe(url=environment.registry.url + "/health", deadline=1)

@probe
def services(environment):
    return AwsProbe(section="services", deadline=3)

@pytest.mark.p0
@symptom("health-endpoints")
def test_health(health):
    expect.status(health, 200)

@pytest.mark.p0
@symptom("service-discovery")
def test_aws(services):
    view.require_answer(services)
    assert services.failure is None, str(services.failure)
"""


class Case(NamedTuple):
    """A bad day: what is selected, with which variables, what comes of it."""

    select: str
    variables: dict[str, str]
    code: int
    told: str


@pytest.fixture(scope="module")
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def aws_that_says(stack: ExitStack, code: str, message: str) -> dict[str, str]:
    body = json.dumps({"__type": code, "message": message}).encode()
    answer = servers.http_answer(
        "400 Bad Request", body, "content-type: application/x-amz-json-1.1"
    )
    port = stack.enter_context(servers.serving(servers.answering(answer)))
    return {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}


def untrusted(stack: ExitStack) -> dict[str, str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    serving = servers.serving(servers.answering(servers.http_answer("200 OK", b"{}")), context)
    return {"HOKUSAI_REGISTRY_URL": f"https://127.0.0.1:{stack.enter_context(serving)}"}


def case(name: str, stack: ExitStack) -> Case:
    """Return a case by its row in docs/bad-input.md."""
    nobody = f"127.0.0.1:{servers.unused_port()}"
    expired = "The security token included in the request is expired"
    late = "Signature expired: 20251123T000000Z is now earlier than 20251123T001000Z"
    cases = {
        "unknown setting's value": lambda: Case(
            "health", {"HOKUSAI_LIMITS_DEADLINE": "soon"}, USAGE, "HOKUSAI_LIMITS_DEADLINE"
        ),
        "no AWS credentials": lambda: Case(
            "aws", {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, USAGE,
            "AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ),
        "half of the AWS credentials": lambda: Case(
            "aws", {"AWS_SECRET_ACCESS_KEY": ""}, USAGE, "AWS_SECRET_ACCESS_KEY is missing"
        ),
        "expired AWS credentials": lambda: Case(
            "aws", aws_that_says(stack, "ExpiredTokenException", expired), BLOCKED, "sign in again"
        ),
        "another region or account": lambda: Case(
            "aws", aws_that_says(stack, "ClusterNotFoundException", "Cluster not found."), FAILED,
            "ClusterNotFoundException",
        ),
        "this machine's clock is wrong": lambda: Case(
            "aws", aws_that_says(stack, "InvalidSignatureException", late), BLOCKED,
            "set this machine's clock",
        ),
        "AWS throttles": lambda: Case(
            "aws", aws_that_says(stack, "ThrottlingException", "Rate exceeded"), BLOCKED,
            "run it again in a minute",
        ),
        "no network": lambda: Case(
            "aws", {"AWS_ENDPOINT_URL": f"http://{nobody}"}, BLOCKED,
            "check the network, the proxy and the region",
        ),
        "a proxy that is not there": lambda: Case(
            "aws",
            {"AWS_ENDPOINT_URL": f"http://{nobody}", "HTTP_PROXY": f"http://{nobody}"},
            BLOCKED, "ProxyConnectionError",
        ),
        "DNS is down": lambda: Case(
            "health",
            {"HOKUSAI_REGISTRY_URL": "http://registry.example",
             "HOKUSAI_NETWORK_RESOLVER": nobody},
            FAILED, "dns-",
        ),
        "TLS is intercepted": lambda: Case("health", untrusted(stack), FAILED, "tls-verify"),
        "the registry is not there": lambda: Case(
            "health", {"HOKUSAI_REGISTRY_URL": f"http://{nobody}"}, FAILED, "connect-refused"
        ),
    }  # fmt: skip
    return cases[name]()


NAMES = (
    "unknown setting's value",
    "no AWS credentials",
    "half of the AWS credentials",
    "expired AWS credentials",
    "another region or account",
    "this machine's clock is wrong",
    "AWS throttles",
    "no network",
    "a proxy that is not there",
    "DNS is down",
    "TLS is intercepted",
    "the registry is not there",
)


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    for name in [n for n in os.environ if n.startswith(("HOKUSAI_", "AWS_", "HTTP", "http"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-nobody")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    pytester.makeini("[pytest]\naddopts = -p harness.plugin.hooks --strict-markers\n")
    pytester.makepyfile(test_checks=CHECKS)
    return pytester


def run(project: pytest.Pytester, *arguments: str) -> tuple[int, str]:
    result = project.runpytest_subprocess("--env", "prod", *arguments)
    said = result.stdout.str() + result.stderr.str()
    assert "Traceback" not in said
    return int(result.ret), said


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_day_is_one_clear_message(
    name: str, project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, stack: ExitStack
) -> None:
    given = case(name, stack)
    for variable, value in given.variables.items():
        monkeypatch.setenv(variable, value)
    code, said = run(project, "-k", given.select, "--tb=line")
    assert (code, given.told in said) == (given.code, True), said


def write(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    for part in ("failures", "causes"):
        shutil.copytree(ROOT / part, project.path / part)
    (project.path / "environments").mkdir()
    (project.path / "environments" / "prod.yaml").write_text(text)
    monkeypatch.setattr("harness.project.ROOT", project.path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("description: d\nregistry: {url: http://x\n", r"prod\.yaml:\d+:\d+: is not valid YAML"),
        ("description: d\nregistry: {url: http://x}\nregisty: {}\n", "unknown field `registy`"),
        ("description: d\nregistry: {url: 5}\n", "prod.yaml: .*Expected `str`, got `int`"),
        ("description: d\n", "missing required field `registry`"),
        ("- a\n- b\n", "must hold a mapping of settings"),
    ],
    ids=["broken YAML", "unknown key", "wrong type", "missing setting", "no mapping"],
)
def test_a_wrong_environment_file_is_one_clear_message(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    write(project, monkeypatch, text)
    result = project.runpytest_inprocess("--env", "prod", *WITHOUT)
    said = result.stdout.str() + result.stderr.str()
    assert result.ret == USAGE
    assert re.search(told, said), said
    assert "Traceback" not in said


def test_reports_that_cannot_be_written(project: pytest.Pytester) -> None:
    (project.path / "taken").write_text("a file is in the way")
    code, said = run(project, "-k", "health", "--reports=taken")
    assert (code, "the report folder cannot be made" in said) == (USAGE, True), said


def test_a_full_disk_costs_no_judgement_that_was_made(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = servers.http_answer("200 OK", b'{"status": "healthy"}' + b" " * 20_000)
    with servers.serving(servers.answering(answer)) as port:
        monkeypatch.setenv("HOKUSAI_REGISTRY_URL", f"http://127.0.0.1:{port}")
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, before[1]))
        try:
            code, said = run(project, "-k", "health", "-p", "no:cacheprovider")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "1 passed" in said, said
    assert code == 3, said
    assert "cannot be written" in said


@pytest.mark.parametrize(
    ("text", "told"),
    [('{"schema": 99}', "is of schema 99"), ("no json", "is not the result of a run")],
)
def test_a_run_of_another_version_is_not_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, told: str
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(text)
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b")]) == USAGE
    assert told in capsys.readouterr().err


def test_every_bad_day_is_in_the_table() -> None:
    table = (ROOT / "docs" / "bad-input.md").read_text()
    rows: dict[str, Any] = {
        row.split("|")[1].strip(): row for row in table.splitlines() if row.startswith("| ")
    }
    assert set(NAMES) - set(rows) == set()
