"""The matrix's own arithmetic, and that it knows every fault of the lab."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import faults
from tests.matrix import cases, report, scoring
from tests.matrix.scoring import Outcome


def outcome(kind: str = "single", **given: object) -> Outcome:
    values: dict[str, object] = {
        "id": "f",
        "kind": kind,
        "faults": ("f",),
        "causes": ("a",),
        "named": (("a",),),
        "red": ("a", "b"),
        "unjudged": (),
        "green": (),
        "apply_s": 0.0,
        "run_s": 0.0,
        "heal_s": 0.0,
    }
    return Outcome(**{**values, **given})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("causes", "named", "score"),
    [
        (("a",), (("a",),), 1.0),
        (("a",), (), 0.0),
        (("a",), (("b",),), 0.0),
        (("a",), (("a",), ("b",)), 0.5),
        (("a", "b"), (("a",),), 0.0),
        (("a", "b"), (("a",), ("b",)), 1.0),
        (("a",), (("b", "a"),), 1.0),
        ((), (), 1.0),
    ],
)
def test_a_missed_cause_is_worth_nothing_and_a_false_one_costs_precision(
    causes: tuple[str, ...], named: tuple[tuple[str, ...], ...], score: float
) -> None:
    assert outcome(causes=causes, named=named).score == score


def test_a_check_that_no_fault_turns_red_fails_the_matrix() -> None:
    healthy = outcome("control", causes=(), named=(), red=(), green=("a", "b", "c"))
    summary = scoring.summarise([healthy, outcome(green=("c",))])
    assert summary.never_red == ("c",)
    assert "c: no fault turns it red" in summary.wrong


def test_a_red_check_in_the_control_fails_the_matrix() -> None:
    sick = outcome("control", causes=(), named=(("a",),), red=("a",))
    assert "control: a is red" in scoring.summarise([sick, outcome(red=("a",))]).wrong


def test_a_fault_that_turns_nothing_red_fails_the_matrix() -> None:
    assert "f: not detected" in scoring.summarise([outcome(red=())]).wrong


def test_a_matrix_that_holds_says_so_in_its_reports(tmp_path: Path) -> None:
    healthy = outcome("control", id="control", causes=(), named=(), red=(), green=("a", "b"))
    outcomes = [outcome(), healthy]
    summary = scoring.summarise(outcomes)
    assert summary.wrong == ()
    report.write(tmp_path, outcomes, summary)
    assert "| f | 1.00 | 2 | 0 |" in (tmp_path / "matrix.md").read_text()
    assert "<svg" in (tmp_path / "matrix.svg").read_text()


def test_every_fault_of_the_lab_has_its_causes_written_down() -> None:
    assert [case.faults[0] for case in cases.singles()] == list(faults.everything())


def test_pairs_change_different_parts_and_are_the_same_each_time() -> None:
    chosen = cases.pairs(60, seed=1)
    assert chosen == cases.pairs(60, seed=1)
    assert len({case.faults for case in chosen}) == 60
    for case in chosen:
        one, other = map(faults.find, case.faults)
        assert not one.undoes(other)
        assert not other.undoes(one)
