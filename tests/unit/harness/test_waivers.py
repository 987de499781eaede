"""Waivers: what they cover, when they end, and what a run makes of them."""

from __future__ import annotations

import datetime
import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness import catalogue, environment, waivers
from harness.environment import Waiver
from harness.errors import UsageError
from harness.verdicts import CheckResult, Status, judge
from tests.unit.harness import servers

ROOT = Path(__file__).parents[3]
TODAY = datetime.date(2025, 8, 7)
CATALOGUE = catalogue.load(ROOT / "failures")


def waiver(until: datetime.date = TODAY, **covers: str) -> Waiver:
    return Waiver(reason="known", owner="platform", until=until, **covers)


def check(id: str, status: Status, *failures: str, role: str = "symptom") -> CheckResult:
    return CheckResult(id=id, role=role, status=status, severity="p1", failures=failures)


def applied(given: list[Waiver], checks: list[CheckResult]) -> list[tuple[str, tuple[str, ...]]]:
    found = waivers.apply(given, checks, judge(CATALOGUE, checks), TODAY)
    return [(str(each.state), each.checks) for each in found]


def test_a_waived_failure_covers_its_symptom_and_its_cause() -> None:
    checks = [
        check("redirect", Status.FAILED, "ssl-tls"),
        check("listener", Status.FAILED, "ssl-tls", "registry-api-outage", role="cause"),
        check("registry", Status.PASSED, "registry-api-outage"),
    ]
    assert applied([waiver(failure="ssl-tls")], checks) == [("in force", ("redirect", "listener"))]


def test_a_cause_of_what_nobody_waived_is_not_covered() -> None:
    checks = [
        check("redirect", Status.FAILED, "ssl-tls"),
        check("listener", Status.FAILED, "ssl-tls", "registry-api-outage", role="cause"),
        check("registry", Status.FAILED, "registry-api-outage"),
    ]
    assert applied([waiver(failure="ssl-tls")], checks) == [("in force", ("redirect",))]


def test_a_check_can_be_waived_by_itself() -> None:
    checks = [check("a", Status.FAILED, "ssl-tls"), check("b", Status.BLOCKED, "ssl-tls")]
    assert applied([waiver(check="b")], checks) == [("in force", ("b",))]


def test_a_check_that_broke_is_never_waived() -> None:
    assert applied([waiver(check="a")], [check("a", Status.BROKEN)]) == [("in force", ())]


def test_the_last_day_still_counts_and_the_next_does_not() -> None:
    checks = [check("a", Status.FAILED, "ssl-tls")]
    yesterday = TODAY - datetime.timedelta(days=1)
    assert applied([waiver(check="a")], checks) == [("in force", ("a",))]
    assert applied([waiver(yesterday, check="a")], checks) == [("expired", ())]


def test_what_passed_needs_no_waiver_and_what_was_not_run_says_nothing() -> None:
    checks = [check("a", Status.PASSED, "ssl-tls")]
    given = [waiver(failure="ssl-tls"), waiver(failure="registry-api-outage")]
    assert applied(given, checks) == [("no longer needed", ())]


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"failure": "ssl-tls", "check": "a"}, "names one failure or one check"),
        ({}, "names one failure or one check"),
        ({"failure": "ssl-tls", "until": "soon"}, "until"),
    ],
)
def test_a_malformed_waiver_is_told(entry: dict[str, str], told: str, tmp_path: Path) -> None:
    given = {"reason": "r", "owner": "o", "until": "2025-09-30"} | entry
    document = {"description": "d", "registry": {"url": "http://x"}, "waivers": [given]}
    (tmp_path / "odd.yaml").write_bytes(msgspec.yaml.encode(document))
    with pytest.raises(UsageError, match=told) as refused:
        environment.load("odd", tmp_path, {})
    assert "odd.yaml" in str(refused.value)


def test_unknown_ids_are_told_with_those_that_were_meant() -> None:
    dev = environment.load("dev", ROOT / "environments", {})
    one = msgspec.structs.replace(dev, waivers=(waiver(failure="ssl"),))
    with pytest.raises(UsageError, match=r"unknown failure id 'ssl': failures/ has .*ssl-tls"):
        waivers.require_known(one, CATALOGUE)
    other = msgspec.structs.replace(dev, waivers=(waiver(check="the-secret-exist"),))
    with pytest.raises(UsageError, match="is the-secret-exists meant"):
        waivers.require_checks(other, {"the-secret-exists", "another"})


# Loaded a second time in one process, Hypothesis' plugin warns; Allure's is not needed.
WITHOUT = ("-p", "no:hypothesispytest", "-p", "no:allure_pytest")
CHECKS = """
import pytest
from harness import expect
from harness.plugin.declare import probe, symptom
from harness.specs import HttpProbe

@probe
def health(environment):
    return HttpProbe(url=environment.registry.url + "/health", deadline=2)

@pytest.mark.p1
@symptom("health-endpoints")
def test_health_is_fine(health):
    assert expect.json_body(health)["status"] == "healthy", health.body
"""


@pytest.fixture
def project(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, no_settings: None
) -> pytest.Pytester:
    """A checkout's data with one check; its environment is to be written."""
    for part in ("failures", "causes"):
        shutil.copytree(ROOT / part, pytester.path / part)
    pytester.makeini("[pytest]\naddopts = -p harness.plugin.hooks --strict-markers\n")
    pytester.makepyfile(test_checks=CHECKS)
    monkeypatch.setattr("harness.project.ROOT", pytester.path)
    return pytester


def run(project: pytest.Pytester, status: str, **entry: str) -> tuple[pytest.RunResult, Any]:
    body = json.dumps({"status": status}).encode()
    answering = servers.answering(servers.http_answer("200 OK", body), [])
    with servers.serving(answering) as port:
        document = {
            "description": "d",
            "registry": {"url": f"http://127.0.0.1:{port}"},
            "waivers": [{"reason": "known", "owner": "platform"} | entry],
        }
        folder = project.path / "environments"
        folder.mkdir(exist_ok=True)
        (folder / "small.yaml").write_bytes(msgspec.yaml.encode(document))
        result = project.runpytest_inprocess("--env", "small", *WITHOUT)
    written = project.path / "reports" / "small" / "latest" / "run.json"
    return result, json.loads(written.read_text())


def test_a_waived_failure_does_not_fail_the_run_and_stays_visible(
    project: pytest.Pytester,
) -> None:
    result, document = run(project, "bad", failure="health-endpoints", until="2999-01-01")
    assert result.ret == document["exit_code"] == 0
    result.stdout.fnmatch_lines(
        ["waived: health-endpoints, until 2999-01-01 (platform: known): health-is-fine"]
    )
    assert document["verdicts"][0]["verdict"] == "changed"
    (kept,) = document["waivers"]
    assert (kept["state"], kept["checks"]) == ("in force", ["health-is-fine"])
    for name in ("handoff.md", "handoff.html"):
        written = project.path / "reports" / "small" / "latest" / name
        assert "waived: health-endpoints, until 2999-01-01" in written.read_text(), name


@pytest.mark.parametrize("status", ["bad", "healthy"])
def test_an_expired_waiver_fails_the_run(project: pytest.Pytester, status: str) -> None:
    result, _ = run(project, status, check="health-is-fine", until="2025-08-06")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["waiver expired: health-is-fine, until 2025-08-06 *"])


def test_a_waiver_that_is_not_needed_is_reported(project: pytest.Pytester) -> None:
    result, _ = run(project, "healthy", failure="health-endpoints", until="2999-01-01")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["waiver no longer needed: health-endpoints*environments/small*"])
