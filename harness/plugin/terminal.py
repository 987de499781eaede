"""What a person sees in the terminal: header, verdict table, closing lines."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness import exit_codes
from harness.catalogue import Catalogue
from harness.diagnosis import Diagnosis
from harness.environment import unknown_variables
from harness.plugin import hand_off
from harness.plugin.results import Results
from harness.plugin.run import Run
from harness.reports import causes, table
from harness.reports.allure.document import HAND_OFF
from harness.specs import Probe
from harness.verdicts import Judgement, Status, Verdict

MIN_WIDTH = 80
READ_ONLY = "read-only (--allow-writes: more)"
WRITES = "with the checks that write"
# The names of the variables that a run has from .env.
FROM_FILE = pytest.StashKey[list[str]]()


def header(started: Run, from_file: Sequence[str] = (), *, writes: bool = False) -> list[str]:
    """Return the lines at the top of a run; ``from_file`` are the variables that .env gave."""
    tested = started.environment
    way = WRITES if writes else READ_ONLY
    lines = [
        f"hokusai: environment {tested.name} ({tested.registry.url}), {way}",
        f"hokusai: reports go to {shown(started.folder)}",
    ]
    if from_file:
        lines.append(f"hokusai: .env gives {', '.join(from_file)}")
    for failure, reason in tested.not_applicable.items():
        lines.append(f"hokusai: {failure} does not apply here: {reason}")
    for name, near in unknown_variables().items():
        # Only those that look like a slip: the platform's own programs have such variables too.
        lines += [f"hokusai: {name} is no setting; is {meant} meant?" for meant in near]
    return lines


def announce(config: pytest.Config, probes: Sequence[Probe]) -> None:
    """Say how much is asked, and from where, as it begins."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not probes or reporter.verbosity < 0:
        return
    counted = Counter(probe.vantage for probe in probes)
    places = ", ".join(f"{count} from {vantage}" for vantage, count in sorted(counted.items()))
    asked = "judged again, from the record" if config.getoption("--replay") else "asked at once"
    many = f"{len(probes)} probe{'s' * (len(probes) != 1)}"
    reporter.write_line(f"hokusai: {many} {asked}: {places}")


def summarise(
    reporter: pytest.TerminalReporter, started: Run, results: Results, expected: str
) -> None:
    """Write root causes, the verdict table, where the reports are, and what the run comes to."""
    judgements = results.judgements(started.catalogue)
    width = max(MIN_WIDTH, reporter._tw.fullwidth)
    _write_causes(reporter, results.diagnosis(started), width)
    reporter.section("documented failures")
    reporter.write(table.verdicts(judgements, width, reporter._tw.hasmarkup))
    blocked = [check for check in results.checks if check.status is Status.BLOCKED]
    for remedy in dict.fromkeys(check.remedy for check in blocked if check.remedy):
        reporter.write_line(f"to judge what was blocked: {remedy}", yellow=True)
    reporter.write_line(f"reports: {shown(started.folder)}")
    reporter.write_line(_hand_off(reporter.config, started.folder))
    counted = Counter(check.status for check in results.checks)
    reporter.write_line(
        "checks:  " + ", ".join(f"{count} {status}" for status, count in sorted(counted.items()))
    )
    if expected == "reproduced":
        _summarise_reproduction(reporter, started.catalogue, judgements)


def _hand_off(config: pytest.Config, folder: Path) -> str:
    if problem := config.stash.get(hand_off.UNWRITTEN, None):
        return f"hand-off: could not be written ({problem}); run.json has the result"
    return f"hand-off: {shown(folder / HAND_OFF)} (and .md)"


def _write_causes(reporter: pytest.TerminalReporter, found: Diagnosis, width: int) -> None:
    if not (found.root_causes or found.unexplained):
        return
    reporter.section("root causes", red=True)
    for line in causes.lines(found, width):
        reporter.write_line(line)


def _summarise_reproduction(
    reporter: pytest.TerminalReporter, catalogue: Catalogue, judgements: Sequence[Judgement]
) -> None:
    reproduced = [j for j in judgements if j.verdict is Verdict.REPRODUCED]
    for judgement in sorted(reproduced, key=lambda j: j.number):
        for seen in dict.fromkeys(sighting.evidence for sighting in judgement.sightings):
            reporter.write_line(f"{judgement.number}. {judgement.failure}: {seen}")
    done = reproduction_exit(catalogue, judgements) == exit_codes.PASSED
    reporter.write_line(
        f"{len(reproduced)} of {len(catalogue)} documented failures reproduced",
        bold=True,
        green=done,
        red=not done,
    )


def reproduction_exit(catalogue: Catalogue, judgements: Sequence[Judgement]) -> int:
    """Return 0 if every documented failure is reproduced with a signature, else 1."""
    reproduced = {j.failure for j in judgements if j.verdict is Verdict.REPRODUCED and j.sightings}
    return exit_codes.PASSED if reproduced == set(catalogue) else exit_codes.FAILED


def shown(path: Path) -> str:
    """Return ``path`` as a person would type it here."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
