"""The answer of a validation is pure: it is tested on verdicts and check results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness import catalogue, diagnosis, validation
from harness.signatures import Sighting
from harness.verdicts import CheckResult, Judgement, Status, Verdict

ROOT = Path(__file__).parents[3]
FAILURE = catalogue.load(ROOT / "failures")["database-connectivity"]
TEXT = "password authentication failed for user 'postgres'"


def symptom(status: Status, message: str = "") -> CheckResult:
    return CheckResult(
        id=f"check-{status}", role="symptom", status=status, severity="p0",
        failures=(FAILURE.id,), message=message,
    )  # fmt: skip


def judgement(verdict: Verdict, **given: Any) -> Judgement:
    return Judgement(
        failure=FAILURE.id, number=2, component="c", severity="p0", verdict=verdict,
        because="b", **given,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("verdict", "results", "word", "code", "told"),
    [
        (Verdict.FIXED, [symptom(Status.PASSED)], "FIXED", 0, "1 of 1 symptom checks passed"),
        (Verdict.REPRODUCED, [symptom(Status.FAILED)], "STILL THERE", 1, TEXT),
        (
            Verdict.CHANGED,
            [symptom(Status.FAILED, "connect-refused\nmore")],
            "CHANGED",
            1,
            "in another way: check-failed: connect-refused",
        ),
        (
            Verdict.BLOCKED,
            [symptom(Status.BLOCKED, "no permission")],
            "NOT JUDGED",
            4,
            "check-blocked: no permission",
        ),
    ],
)
def test_each_verdict_has_its_word_and_exit_code(
    verdict: Verdict, results: list[CheckResult], word: str, code: int, told: str
) -> None:
    seen = Sighting(signature="login-as-postgres", documented=TEXT, probe="p", evidence="e")
    shown = (seen,) if verdict is Verdict.REPRODUCED else ()
    given = judgement(verdict, passed=len(results), sightings=shown)
    answer = validation.answer(FAILURE, [given], results)
    assert (answer.word, answer.exit_code) == (word, code)
    assert told in answer.because


def test_without_a_symptom_check_nothing_was_judged() -> None:
    answer = validation.answer(FAILURE, [], [])
    assert (answer.word, answer.exit_code) == ("NOT JUDGED", 4)


def test_the_causes_that_could_explain_it_are_wanted_near_and_far() -> None:
    graph = diagnosis.load(ROOT / "causes" / "platform.yaml")
    wanted = validation.wanted("database-connectivity", graph)
    assert {"the-api-is-given-its-database-user", "the-secret-exists"} <= wanted
    assert "plain-http-is-redirected-to-the-same-host" not in wanted


def earlier(revision: str, verdict: str = "reproduced") -> dict[str, Any]:
    return {
        "run": "r1",
        "verdicts": [{"failure": FAILURE.id, "verdict": verdict}],
        "deployed": {"api": revision},
    }


@pytest.mark.parametrize(
    ("now", "before", "told"),
    [
        ("api:3", earlier("api:4"), "older than what failed in run r1 is deployed: api:3"),
        ("api:4", earlier("api:4"), "the same is deployed as in run r1"),
        ("api:5", earlier("api:4"), None),
        ("api:4", earlier("api:4", "fixed"), None),
    ],
)
def test_nobody_judges_a_fix_that_is_not_deployed(
    now: str, before: dict[str, Any], told: str | None
) -> None:
    notes = validation.deployed_since(FAILURE.id, {"api": now}, [before])
    assert bool(notes) == (told is not None)
    assert all(told in note for note in notes if told)
