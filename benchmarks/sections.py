"""What is measured. Each section gives plain data; `benchmarks.report` makes a document of it."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import command, job, rounds, scale
from benchmarks.command import Command
from benchmarks.contestants import blackbox, plugins, tavern
from benchmarks.contestants.plain import prepare as plain
from benchmarks.contestants.suite import prepare as suite
from benchmarks.rounds import Contestant, Progress
from lab import faults, home, session
from tests.matrix.stage import Stage

ROOT = Path(__file__).parents[1]
SUITE = "this suite, with Allure, JUnit and hand-off"
FIRST = "this suite, the first time"
BY_PYTEST = "this suite, by plain pytest"
WITHOUT_ALLURE = "this suite, without Allure"
PLAIN = "plain pytest + requests + Allure"
EMPTY = "pytest with one empty test"
FLOOR = "pytest + Allure + JUnit, 40 empty tests"
PLUGINS = "check_* plugins, all in parallel"
ROUNDS = {"1 ms": 9, "50 ms": 7, "never": 5}
SERVED_WITHIN_S = 20.0
FAILURE = "ssl-tls"


@contextlib.contextmanager
def served(pace: str, folder: Path) -> Iterator[job.Job]:
    """Serve the job's targets from a process of their own."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.targets", pace, str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as serving:
        assert serving.stdin is not None
        assert serving.stdout is not None
        try:
            yield msgspec.json.decode(serving.stdout.readline(), type=job.Job)
        finally:
            serving.stdin.close()


def the_job(progress: Progress, *, quick: bool) -> dict[str, Any]:
    """The 40-check job at each pace, by everybody who is installed here."""
    with _kept() as place:
        return _job(place, progress, quick=quick)


@contextlib.contextmanager
def _kept() -> Iterator[Path]:
    """Give a folder in which nothing is removed until all is measured.

    For minutes after thousands of files were removed, ext4 takes up to ten times as long to make
    one: it passes by what was freed just now.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        yield Path(place)


def _job(place: Path, progress: Progress, *, quick: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"paces": {}, "missing": _missing()}
    for pace in job.PACES:
        folder = place / pace.replace(" ", "-")
        folder.mkdir()
        with served(pace, folder) as serving, contextlib.ExitStack() as running:
            contestants = _contestants(folder, serving, pace, running)
            times = 1 if quick else ROUNDS[pace]
            told = _prefixed(progress, f"job, {pace}: ")
            results = rounds.run(contestants, times, told, SUITE)
            found["paces"][pace] = msgspec.to_builtins(results)
            if pace == "1 ms":
                found["memory_mib"] = {
                    each.name: round(command.peak_mib(each.command), 1) for each in contestants
                }
    return found


def _missing() -> list[str]:
    told = [plugins.missing(), blackbox.missing()]
    return [each for each in told if each] + ([] if tavern.program() else [tavern.INSTALL])


def _contestants(
    folder: Path, serving: job.Job, pace: str, running: contextlib.ExitStack
) -> list[Contestant]:
    fails = pace == "never"

    def place(name: str) -> Path:
        (folder / name).mkdir()
        return folder / name

    found = [
        Contestant(SUITE, suite.prepare(place("suite"), serving, fails=fails)),
        Contestant(
            WITHOUT_ALLURE, suite.prepare(place("bare"), serving, fails=fails, allure=False)
        ),
        Contestant(
            FIRST, suite.prepare(place("first"), serving, fails=fails, way="for the first time")
        ),
        Contestant(
            BY_PYTEST,
            suite.prepare(place("by-pytest"), serving, fails=fails, way="by plain pytest"),
        ),
        Contestant(PLAIN, plain.prepare(place("plain"), serving, fails=fails)),
        Contestant(
            "plain pytest + requests, xdist -n 4",
            plain.prepare(place("xdist"), serving, fails=fails, options=plain.XDIST),
        ),
        Contestant(EMPTY, plain.empty(place("empty"))),
        Contestant(FLOOR, plain.empty_forty(place("floor"))),
    ]
    if not plugins.missing():
        parallel = plugins.prepare(place("plugins"), serving, fails=fails)
        found.append(Contestant(PLUGINS, parallel))
    if not blackbox.missing():
        at = place("blackbox")
        port = running.enter_context(blackbox.serving(at, serving))
        asked = blackbox.prepare(at, serving, port)
        found.append(Contestant("blackbox exporter (running already), by curl", asked))
    if tavern.program():
        yamls = tavern.prepare(place("tavern"), serving, fails=fails)
        found.append(Contestant("tavern (only the 16 HTTP checks)", yamls))
    return found


def the_scale(progress: Progress, *, quick: bool) -> list[dict[str, Any]]:
    """Ever more probes, each answered after 50 ms: by few checks, and by one check each."""
    with _kept() as place:
        return _scales(place, progress, quick=quick)


def _scales(place: Path, progress: Progress, *, quick: bool) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def measure(number: int, shape: scale.Shape) -> dict[str, Any]:
        folder = Path(tempfile.mkdtemp(dir=place))
        seen = scale.measured(folder, number, shape)
        progress(f"scale: {number} probes, {shape}: {seen['wall_s']:.1f} s")
        return seen

    def yardsticks() -> list[tuple[dict[str, Any], dict[str, Any]]]:
        few, more = scale.YARDSTICK
        return [(measure(few, "each"), measure(more, "each")) for _ in range(1 if quick else 3)]

    for number in scale.NUMBERS[: 2 if quick else None]:
        found.append(measure(number, "few"))
        if number < scale.YARDSTICK[-1]:
            found.append(measure(number, "each"))
            continue
        # The machine's speed changes meanwhile.
        before = yardsticks()
        # A run of a second or two may be half as long, or twice: one of them tells nothing.
        times = 1 if quick or number > scale.YARDSTICK[-1] else 7
        row = scale.typical([measure(number, "each") for _ in range(times)])
        found.append(scale.with_cost(row, [*before, *yardsticks()]))
    return found


def the_suite(progress: Progress, *, quick: bool) -> dict[str, Any]:
    """The project's own commands on running labs, and judging their records again."""
    times = 1 if quick else 7
    found: dict[str, Any] = {}
    for scenario in ("healthy", "incident-2025-08-06"):
        failing = frozenset({0 if scenario == "healthy" else 2})
        with tempfile.TemporaryDirectory(prefix="bench-") as place, session.start(scenario) as lab:
            reports = Path(place) / "reports"
            environment = dict(lab.environment)
            make = ["make", "test", f"ARGS=--reports={reports}"]
            tested = Command(make, ROOT, environment, failing)
            found[f"make test, {scenario}"] = _took(tested, times)
            progress(f"suite: make test on {scenario}")
            if scenario != "healthy":
                asked = ["make", "validate", f"FAILURE={FAILURE}", f"ARGS=--reports={reports}"]
                validated = Command(asked, ROOT, environment, failing)
                found[f"make validate FAILURE={FAILURE}"] = _took(validated, times)
                progress("suite: make validate")
            kept = Path(place) / "record.jsonl"
            kept.write_bytes(_whole(reports).read_bytes())
            replay = [*suite.TEST, "--env=local", f"--replay={kept}", f"--reports={place}/again"]
            exits = frozenset({0 if scenario == "healthy" else 1})
            judged = Command(replay, ROOT, {}, exits)
            found[f"replay, {scenario}"] = _took(judged, times)
            progress(f"suite: replay of {scenario}")
    return found


def _whole(reports: Path) -> Path:
    """Return the record of the run that asked everything."""
    records = reports.glob("local/2*/observations.jsonl")
    return max(records, key=lambda path: path.stat().st_size)


def _took(measured: Command, times: int) -> dict[str, Any]:
    command.timed(measured)  # the first one may have to write bytecode
    seen = [command.timed(measured) for _ in range(times)]
    return {
        "wall_s": msgspec.to_builtins(rounds.spread([each.wall_s for each in seen])),
        "cpu_s": msgspec.to_builtins(rounds.spread([each.cpu_s for each in seen])),
    }


def the_lab(progress: Progress, *, quick: bool) -> dict[str, Any]:
    """Starting a lab from nothing and from its cache; faults put in and healed."""
    cold = _cold_start_s()
    progress("lab: cold start")
    warm = [_start_s() for _ in range(1 if quick else 5)]
    progress("lab: started from its cache")
    return {
        "cold_start_s": round(cold, 2),
        "cached_start_s": msgspec.to_builtins(rounds.spread(warm)),
        "faults": _faults(progress, 5 if quick else None),
    }


def _start_s() -> float:
    begun = time.perf_counter()
    with session.start("healthy"):
        return time.perf_counter() - begun


def _cold_start_s() -> float:
    """Start without the cache, which is put back after it."""
    aside = home.CACHE.with_name("cache-aside")
    if home.CACHE.exists():
        home.CACHE.rename(aside)
    try:
        return _start_s()
    finally:
        if aside.exists():
            shutil.rmtree(home.CACHE)
            aside.rename(home.CACHE)


def _faults(progress: Progress, most: int | None) -> dict[str, Any]:
    stage, took = Stage(), {}
    try:
        _ = stage.environment
        for name in sorted(faults.everything())[:most]:
            begun = time.perf_counter()
            stage.apply([name])
            applied = time.perf_counter()
            stage.heal([name])
            took[name] = (applied - begun, time.perf_counter() - applied)
            progress(f"lab: {name}")
    finally:
        stage.close()
    applied_s, healed_s = zip(*took.values(), strict=True)
    return {
        "number": len(took),
        "applied_s": msgspec.to_builtins(rounds.spread(list(applied_s))),
        "healed_s": msgspec.to_builtins(rounds.spread(list(healed_s))),
        "slowest": sorted(took, key=lambda name: sum(took[name]))[-3:],
    }


def _prefixed(progress: Progress, prefix: str) -> Callable[[str], None]:
    return lambda text: progress(prefix + text)
