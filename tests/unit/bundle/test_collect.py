"""Collecting: what fails or takes too long is said, and costs nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from harness.bundle import collect
from harness.bundle.collect import Collected, Part
from harness.bundle.source import Source
from harness.observation import FailureKind
from harness.probes.stage import StageError
from tests.unit.bundle.reading import source


def collected(tmp_path: Path, *parts: Part, seconds: float = 5.0) -> dict[str, Collected]:
    found = collect(source({}), tmp_path, seconds, lambda _text: None, parts)
    return {each.part.id: each for each in found}


def well(_source: Source) -> Iterator[tuple[str, str]]:
    yield "a.txt", "a"


def test_a_refused_part_is_told_with_its_remedy_and_keeps_what_it_had(tmp_path: Path) -> None:
    def refused(_source: Source) -> Iterator[tuple[str, str]]:
        yield "first.log", "seen"
        raise StageError(FailureKind.NOT_PERMITTED, "logs:FilterLogEvents: denied", "allow it")

    found = collected(tmp_path, Part("logs", "Logs", refused), Part("well", "Well", well))
    assert found["logs"].files == (("first.log", "seen"),)
    assert (found["logs"].lacking, found["logs"].remedy) == (
        "logs:FilterLogEvents: denied",
        "allow it",
    )
    assert found["well"].lacking == ""


def test_what_cannot_be_understood_is_no_traceback(tmp_path: Path) -> None:
    def odd(_source: Source) -> Iterator[tuple[str, str]]:
        raise KeyError("a secret")

    found = collected(tmp_path, Part("odd", "Odd", odd), Part("well", "Well", well))
    assert found["odd"].lacking == "it could not be read: KeyError"
    assert found["well"].files == (("a.txt", "a"),)


def test_a_part_that_hangs_ends_at_the_bound(tmp_path: Path) -> None:
    released = threading.Event()

    def hangs(_source: Source) -> Iterator[tuple[str, str]]:
        released.wait(30)
        yield "late.txt", ""

    try:
        found = collected(
            tmp_path, Part("slow", "Slow", hangs), Part("well", "Well", well), seconds=0.2
        )
    finally:
        released.set()
    assert found["slow"].lacking == "not done within 0 s"
    assert "--within" in found["slow"].remedy
    assert found["well"].lacking == ""


def test_without_a_run_it_says_that_one_is_needed(tmp_path: Path) -> None:
    found = collected(tmp_path)
    assert found["database-users"].lacking == "no login was observed"
    assert "make test ENV=local" in found["database-users"].remedy


def test_each_part_is_told_as_it_is_done(tmp_path: Path) -> None:
    told: list[str] = []
    collect(source({}), tmp_path, 5.0, told.append, [Part("well", "Well", well)])
    assert told == ["well: 1 files", "database-users: no login was observed"]
