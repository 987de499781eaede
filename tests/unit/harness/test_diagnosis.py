"""Diagnosis is pure: it is tested on check results and a small graph."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.diagnosis import Diagnosis, Graph, diagnose, load
from harness.errors import UsageError
from harness.finding import Finding
from harness.verdicts import CheckResult, Judgement, Status, Verdict

ROOT = Path(__file__).parents[3]
GRAPH = msgspec.convert(
    {
        "causes": {
            "the-rule-is-there": {"explains": ["database-connectivity"]},
            "the-port-is-open": {
                "explained_by": ["the-rule-is-there"],
                "explains": ["database-connectivity"],
            },
            "the-login-works": {
                "explained_by": ["the-port-is-open"],
                "explains": ["database-connectivity"],
            },
            "the-redirect-is-right": {"explains": ["ssl-tls"]},
        }
    },
    Graph,
)


def cause(id: str, status: Status, mend: tuple[str, ...] = ()) -> CheckResult:
    finding = Finding(what=f"not: {id}", resource="r", expected="e", observed="o", mend=mend)
    failed = finding if status is Status.FAILED else None
    return CheckResult(id=id, role="cause", status=status, severity="p0", finding=failed)


def verdict(failure: str, verdict: Verdict) -> Judgement:
    return Judgement(
        failure=failure, number=1, component="c", severity="p0", verdict=verdict, because=""
    )


def diagnosis(
    results: list[CheckResult], *wrong: str, verdict_of: Verdict = Verdict.REPRODUCED
) -> Diagnosis:
    return diagnose(GRAPH, results, [verdict(each, verdict_of) for each in wrong], "local")


def test_the_most_upstream_failed_cause_is_the_root_and_the_others_are_its_consequences() -> None:
    failed = ("the-login-works", "the-port-is-open", "the-rule-is-there")
    found = diagnosis([cause(id, Status.FAILED) for id in failed], "database-connectivity")
    (root,) = found.root_causes
    assert root.check == "the-rule-is-there"
    assert root.consequences == ("the-login-works", "the-port-is-open")
    assert root.explains == ("database-connectivity",)
    assert root.prove == "make validate FAILURE=database-connectivity ENV=local"


@pytest.mark.parametrize("between", [Status.BLOCKED, Status.BROKEN, None])
def test_a_cause_further_up_explains_across_what_was_not_judged(between: Status | None) -> None:
    results = [cause(id, Status.FAILED) for id in ("the-login-works", "the-rule-is-there")]
    results += [cause("the-port-is-open", between)] if between else []
    assert [root.check for root in diagnosis(results).root_causes] == ["the-rule-is-there"]


def test_a_link_that_holds_cuts_the_chain() -> None:
    """If the port is open, it is not the missing rule that keeps the login from working."""
    results = [
        cause("the-login-works", Status.FAILED),
        cause("the-port-is-open", Status.PASSED),
        cause("the-rule-is-there", Status.FAILED),
    ]
    named = {root.check for root in diagnosis(results).root_causes}
    assert named == {"the-login-works", "the-rule-is-there"}


def test_independent_causes_are_all_named() -> None:
    results = [cause(id, Status.FAILED) for id in ("the-redirect-is-right", "the-rule-is-there")]
    found = diagnosis(results, "database-connectivity", "ssl-tls")
    assert {root.check for root in found.root_causes} == {
        "the-redirect-is-right",
        "the-rule-is-there",
    }
    assert found.unexplained == ()


def test_what_one_change_mends_is_one_cause() -> None:
    mend = ("aws ec2 authorize-security-group-egress …",)
    results = [
        cause(id, Status.FAILED, mend) for id in ("the-redirect-is-right", "the-rule-is-there")
    ]
    (root,) = diagnosis(results, "database-connectivity", "ssl-tls").root_causes
    assert {root.check, *root.same} == {"the-redirect-is-right", "the-rule-is-there"}
    assert root.explains == ("database-connectivity", "ssl-tls")


def test_a_failure_without_a_failed_cause_is_said_to_be_unexplained() -> None:
    found = diagnosis([cause("the-rule-is-there", Status.PASSED)], "database-connectivity")
    assert found.root_causes == ()
    assert found.unexplained == ("database-connectivity",)


def test_a_latent_cause_is_named_though_nothing_is_wrong_yet() -> None:
    found = diagnosis(
        [cause("the-rule-is-there", Status.FAILED)],
        "database-connectivity",
        verdict_of=Verdict.FIXED,
    )
    (root,) = found.root_causes
    assert root.explains == ()


@pytest.mark.parametrize("status", [Status.BLOCKED, Status.BROKEN])
def test_what_could_not_be_judged_is_never_read_as_healthy(status: Status) -> None:
    results = [cause("the-rule-is-there", status), cause("the-port-is-open", Status.FAILED)]
    found = diagnosis(results, "database-connectivity")
    assert [root.check for root in found.root_causes] == ["the-port-is-open"]
    assert found.unknown == ("the-rule-is-there",)


def test_what_could_not_be_judged_and_explains_nothing_is_not_mentioned() -> None:
    results = [cause("the-redirect-is-right", Status.BLOCKED)]
    assert diagnosis(results, "database-connectivity").unknown == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("causes: {a: {explained_by: [b]}}", "causes.a.explained_by: no cause 'b'"),
        ("causes: {a: {explained_by: [b]}, b: {explained_by: [a]}}", "explains itself"),
        ("causes: {a: {explained_from: [b]}}", "explained_from"),
    ],
)
def test_a_graph_that_makes_no_sense_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "graph.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=told) as raised:
        load(path)
    assert "graph.yaml" in str(raised.value)


def test_the_platforms_graph_has_every_cause_check_and_no_other(pytester: pytest.Pytester) -> None:
    """A cause that the graph does not know would never be folded, and would explain nothing."""
    result = pytester.runpytest_subprocess(
        "--collect-only", "-q", f"--rootdir={ROOT}", f"-c{ROOT}/pytest.ini",
        str(ROOT / "tests/acceptance/causes"),
    )  # fmt: skip
    names = [line.partition("::")[2] for line in result.outlines if "::test_" in line]
    checks = {
        name.partition("[")[0].removeprefix("test_").replace("_", "-") + name[name.find("[") :]
        if "[" in name
        else name.removeprefix("test_").replace("_", "-")
        for name in names
    }
    assert checks == set(load(ROOT / "causes" / "platform.yaml").causes)
