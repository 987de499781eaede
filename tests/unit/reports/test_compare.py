"""Comparing two runs is pure: it is tested on their results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.errors import UsageError
from harness.reports import compare, history
from harness.reports.compare import Change


def run(
    verdicts: dict[str, tuple[str, tuple[str, ...]]],
    causes: dict[str, str] | None = None,
    **given: Any,
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "schema": 1,
        "run": "20250806T120000Z-0000",
        "environment": "prod",
        "verdicts": [
            {"failure": id, "verdict": verdict, "sightings": [{"signature": s} for s in seen]}
            for id, (verdict, seen) in verdicts.items()
        ],
        "root_causes": [
            {"check": id, "finding": {"what": what, "observed": "o"}}
            for id, what in (causes or {}).items()
        ],
        "checks": [{"id": "a"}, {"id": "b"}],
        "vantage_points": ["runner", "task:api"],
    }
    return document | given


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (("reproduced", ("s",)), ("fixed", ()), Change.FIXED),
        (("changed", ()), ("fixed", ()), Change.FIXED),
        (("fixed", ()), ("reproduced", ("s",)), Change.CAME_BACK),
        (("fixed", ()), ("changed", ()), Change.CAME_BACK),
        (("reproduced", ("s",)), ("changed", ()), Change.CHANGED),
        (("reproduced", ("s",)), ("reproduced", ("t",)), Change.CHANGED),
        (("reproduced", ("s",)), ("reproduced", ("s",)), Change.SAME),
        (("reproduced", ("s",)), ("blocked", ()), Change.NOT_JUDGED),
        (("blocked", ()), ("fixed", ()), Change.JUDGED),
        (("blocked", ()), ("reproduced", ("s",)), Change.NEW),
    ],
)
def test_what_became_of_a_failure(
    before: tuple[str, tuple[str, ...]], after: tuple[str, tuple[str, ...]], change: Change
) -> None:
    (found,) = compare.compare(run({"f": before}), run({"f": after})).failures
    assert found.change == change


def test_a_failure_that_was_not_in_the_earlier_run_is_new_only_if_it_is_there() -> None:
    found = compare.compare(run({}), run({"f": ("fixed", ()), "g": ("reproduced", ("s",))}))
    assert [(each.id, each.change) for each in found.failures] == [
        ("f", Change.SAME),
        ("g", Change.NEW),
    ]


def test_root_causes_come_and_go() -> None:
    before = run({}, {"old": "x", "same": "y", "other": "z"})
    after = run({}, {"same": "y", "other": "w", "young": "v"})
    found = {each.id: each.change for each in compare.compare(before, after).causes}
    assert found == {
        "same": Change.SAME,
        "other": Change.CHANGED,
        "young": Change.NEW,
        "old": Change.GONE,
    }


def test_runs_of_two_environments_are_refused() -> None:
    with pytest.raises(UsageError, match=r"of environment prod.*of dev"):
        compare.compare(run({}), run({}, environment="dev"))


def test_another_selection_or_vantage_point_is_warned_of() -> None:
    after = run({}, checks=[{"id": "a"}], vantage_points=["runner"])
    warnings = compare.compare(run({}), after).warnings
    assert len(warnings) == 2
    assert "1 checks" in warnings[0]
    assert "runner, task:api then, and from runner now" in warnings[1]


def test_nothing_changed_is_said_in_one_line() -> None:
    same = run({"f": ("reproduced", ("s",))})
    assert list(compare.lines(compare.compare(same, same))) == [
        "since 20250806T120000Z-0000: nothing changed"
    ]


def test_what_changed_is_told_the_most_urgent_first() -> None:
    before = run({"f": ("reproduced", ("s",)), "g": ("fixed", ())})
    after = run({"f": ("fixed", ()), "g": ("reproduced", ("s",))}, {"c": "x"})
    (line,) = compare.lines(compare.compare(before, after))
    assert line.endswith("came back: g; new: cause c; fixed: f")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be read"),
        (b"{", "is not the result of a run"),
        (b'{"schema": 99}', "is of schema 99, this suite reads 1"),
    ],
)
def test_what_is_no_run_gives_one_clear_message(
    tmp_path: Path, content: bytes | None, told: str
) -> None:
    if content is not None:
        (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(UsageError, match=told):
        history.load(tmp_path)


def test_earlier_runs_are_found_the_latest_first(tmp_path: Path) -> None:
    for name in ("20250806T1-a", "20250806T2-b", "20250806T3-c", "20250806T4-d"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_bytes(msgspec.json.encode(run({}, run=name)))
    (tmp_path / "20250806T2-b" / "run.json").write_text("broken")
    found = [each["run"] for each in history.before(tmp_path / "20250806T4-d")]
    assert found == ["20250806T3-c", "20250806T1-a"]
