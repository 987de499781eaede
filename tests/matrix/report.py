"""The matrix as JSON, Markdown and a picture."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import jinja2
import msgspec

from tests.matrix.scoring import PAIRS_AT_LEAST, SINGLES_AT_LEAST, Outcome, Summary

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=jinja2.select_autoescape(("svg",)),
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)


def write(folder: Path, outcomes: Sequence[Outcome], summary: Summary) -> None:
    """Write `matrix.json`, `matrix.md` and `matrix.svg` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    ordered = sorted(outcomes, key=lambda each: (("control", "single", "pair").index(each.kind),))
    document = {"summary": summary, "cases": ordered}
    encoded = msgspec.json.format(msgspec.json.encode(document), indent=2)
    (folder / "matrix.json").write_bytes(encoded + b"\n")
    for name in ("matrix.md", "matrix.svg"):
        text = _TEMPLATES.get_template(f"{name}.jinja").render(**_context(ordered, summary))
        (folder / name).write_text(text, encoding="utf-8")


def lines(summary: Summary) -> Iterator[str]:
    """Yield what the terminal says."""
    counts = ", ".join(f"{count} {kind}" for kind, count in summary.cases.items())
    yield f"cases: {counts}; single faults detected: {summary.detected:.0%}"
    yield f"diagnosis: {summary.singles:.3f} for single faults (at least {SINGLES_AT_LEAST})"
    if summary.pairs is not None:
        yield f"diagnosis: {summary.pairs:.3f} for pairs (at least {PAIRS_AT_LEAST})"
    yield from (f"wrong: {text}" for text in summary.wrong)


def _context(outcomes: Sequence[Outcome], summary: Summary) -> dict[str, object]:
    alone = [each for each in outcomes if each.kind != "pair"]
    checks = sorted({c for each in alone for c in (*each.red, *each.green, *each.unjudged)})
    return {
        "outcomes": outcomes,
        "summary": summary,
        "alone": alone,
        "checks": checks,
        "states": {each.id: _states(each) for each in alone},
        "killers": {c: [each.id for each in alone if c in each.red] for c in checks},
        "median": {
            step: median(getattr(each, f"{step}_s") for each in outcomes)
            for step in ("apply", "run", "heal")
        },
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
    }


def _states(outcome: Outcome) -> dict[str, str]:
    names = {"red": outcome.red, "unjudged": outcome.unjudged}
    named = {check: "cause" for checks in outcome.named for check in checks}
    return {check: state for state, checks in names.items() for check in checks} | named
