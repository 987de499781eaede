"""The measurements as a document for people: Markdown, and a plot; JSON has all of it."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import msgspec
import psutil

from benchmarks.command import loop_s
from benchmarks.job import DEADLINE_S
from benchmarks.sections import EMPTY, FLOOR, PLAIN, PLUGINS, SUITE, WITHOUT_ALLURE

PACKAGES = ("pytest", "allure-pytest", "pytest-xdist", "requests", "boto3", "psycopg2-binary")
FOLDER = Path(__file__).parents[1] / "docs" / "benchmarks"
JSON, MARKDOWN, PLOT = "benchmarks.json", "README.md", "job.svg"
SUITE_LIMITS_S = {
    "make test, healthy": 3.0,
    "make test, incident-2025-08-06": 5.5,
    "make validate FAILURE=ssl-tls": 1.5,
    "replay, healthy": 1.0,
    "replay, incident-2025-08-06": 1.0,
}
JOB_LIMITS = {"1 ms": 0.55, "50 ms": 0.16, "never": 0.16}


class Target(NamedTuple):
    """What was aimed at, and what was seen."""

    what: str
    limit: float
    seen: float


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    return {
        "cpus": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / (1 << 30)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "loop_s": round(loop_s(), 2),
    }


def write(folder: Path, found: Mapping[str, Any]) -> list[Path]:
    """Write all documents into ``folder``; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    data, text, plot = folder / JSON, folder / MARKDOWN, folder / PLOT
    data.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    text.write_text(_document(found))
    if "job" not in found:
        return [data, text]
    plot.write_bytes(_plot(found["job"]["paces"]))
    return [data, text, plot]


def _document(found: Mapping[str, Any]) -> str:
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    templates = jinja2.Environment(  # noqa: S701 - Markdown of our own figures
        loader=loader, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    names = list(found["job"]["paces"]["1 ms"]) if "job" in found else []
    return templates.get_template("report.md.j2").render(
        **found, names=names, targets=list(targets(found)), floors=_floors(found)
    )


def targets(found: Mapping[str, Any]) -> Iterator[Target]:
    """Yield what the issue about speed aims at, as far as it was measured."""
    if "job" in found:
        yield from _of_the_job(found["job"])
    for name, limit in SUITE_LIMITS_S.items() if "suite" in found else ():
        yield Target(f"`{name}`, seconds", limit, found["suite"][name]["wall_s"]["median"])
    yield from _of_the_scale(found.get("scale", []))
    if "lab" in found:
        ready, faults = found["lab"]["cached_start_s"], found["lab"]["faults"]
        yield Target("lab ready from its cache, seconds", 5.0, ready["median"])
        yield Target("fault put in and visible, seconds", 1.0, faults["applied_s"]["median"])


def _floors(found: Mapping[str, Any]) -> dict[str, float]:
    """Return, by pace, what part of plain pytest's time 40 empty tests with Allure take."""
    paces = found["job"]["paces"] if "job" in found else {}
    return {
        pace: results[PLAIN]["suite_takes"]["median"] / results[FLOOR]["suite_takes"]["median"]
        for pace, results in paces.items()
        if FLOOR in results
    }


def _of_the_job(job: Mapping[str, Any]) -> Iterator[Target]:
    paces = job["paces"]
    for pace, limit in JOB_LIMITS.items():
        seen = paces[pace][PLAIN]["suite_takes"]["median"]
        yield Target(f"{pace}: beside plain pytest + requests + Allure", limit, seen)
    if beside := paces["50 ms"].get(PLUGINS):
        yield Target("50 ms: beside check_* in parallel", 2.5, beside["suite_takes"]["median"])
    never = paces["never"][SUITE]["wall_s"]["median"]
    yield Target("never: beside the slowest probe's deadline", 1.1, never / DEADLINE_S)
    bare = paces["1 ms"][WITHOUT_ALLURE]["wall_s"]["median"]
    floor = paces["1 ms"][EMPTY]["wall_s"]["median"]
    yield Target("1 ms: without Allure, beside pytest with an empty test", 1.5, bare / floor)
    yield Target("1 ms: MiB of all processes, without boto3", 60.0, job["memory_mib"][SUITE])


def _of_the_scale(scale: list[dict[str, Any]]) -> Iterator[Target]:
    for each in scale:
        if (each["probes"], each["shape"]) == (4000, "few"):
            yield Target("4,000 probes at 50 ms, seconds", 6.0, each["wall_s"])
            yield Target("4,000 probes at 50 ms, MiB", 200.0, each["peak_mib"])
    costs = [found for each in scale if (found := each.get("check_beside_yardstick"))]
    if len(costs) > 1:
        ratio = max(costs) / min(costs)
        yield Target("a check among 400 to 20,000: the dearest beside the cheapest", 1.2, ratio)


def _pygal() -> Any:
    import pygal
    import pygal.style

    # pygal leaves an importer behind that Python's import cannot use any more.
    sys.meta_path[:] = [each for each in sys.meta_path if hasattr(each, "find_spec")]
    return pygal


def _plot(paces: Mapping[str, Any]) -> bytes:
    pygal = _pygal()
    names = list(next(iter(paces.values())))[::-1]
    chart = pygal.HorizontalBar(
        logarithmic=True,
        style=pygal.style.CleanStyle,
        width=1000,
        height=620,
        js=[],
        legend_at_bottom=True,
        x_title="wall seconds (median, logarithmic)",
        print_values=True,
        value_formatter=lambda value: f"{value:.2f}",
        truncate_label=-1,
    )
    chart.x_labels = names
    for pace, results in paces.items():
        chart.add(pace, [results[name]["wall_s"]["median"] for name in names])
    drawn: bytes = chart.render()
    return drawn
