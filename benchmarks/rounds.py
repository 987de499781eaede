"""Paired rounds: contestants run in turn, so that a slow moment meets all of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from benchmarks.command import Command, Took, timed

Progress = Callable[[str], None]


class Spread(msgspec.Struct, frozen=True):
    """A median, and between what the middle half of the values lies."""

    median: float
    low: float
    high: float


class Result(msgspec.Struct, frozen=True):
    """What a contestant took in all rounds, and how that compares with this suite, by round."""

    wall_s: Spread
    cpu_s: Spread
    suite_takes: Spread | None


def spread(values: list[float]) -> Spread:
    """Return the median and the quartiles."""
    if len(values) < 2:
        return Spread(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(round(median, 4), round(low, 4), round(high, 4))


class Contestant(NamedTuple):
    """A name and a command."""

    name: str
    command: Command


def run(
    contestants: list[Contestant], rounds: int, progress: Progress, reference: str
) -> dict[str, Result]:
    """Run everybody ``rounds`` times in turn, after one round that does not count."""
    took: dict[str, list[Took]] = {each.name: [] for each in contestants}
    for number in range(rounds + 1):
        for each in contestants:
            seen = timed(each.command)
            if number:
                took[each.name].append(seen)
        progress(f"round {number} of {rounds}")
    return _results(took, reference)


def _results(took: Mapping[str, list[Took]], reference: str) -> dict[str, Result]:
    own = took[reference]
    return {
        name: Result(
            wall_s=spread([seen.wall_s for seen in runs]),
            cpu_s=spread([seen.cpu_s for seen in runs]),
            suite_takes=None
            if name == reference
            else spread([mine.wall_s / seen.wall_s for mine, seen in zip(own, runs, strict=True)]),
        )
        for name, runs in took.items()
    }
