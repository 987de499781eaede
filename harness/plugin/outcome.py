"""From what pytest says of a check to a CheckResult."""

from __future__ import annotations

import re
from typing import Any, Literal, NamedTuple

import pytest

from harness.catalogue import Catalogue
from harness.diagnosis import Graph
from harness.environment import Severity
from harness.expect import CannotJudge, NoAnswer
from harness.finding import CauseFound
from harness.observation import Observation
from harness.plugin.declare import PROBES
from harness.plugin.run import RUN, Blocked
from harness.signatures import Sighting, sightings
from harness.verdicts import CheckResult, Status

# How a check was judged.
JUDGED = pytest.StashKey[CheckResult]()
SEVERITIES: tuple[Severity, ...] = ("p0", "p1", "p2", "p3")
ROLES: tuple[Literal["symptom", "cause"], ...] = ("symptom", "cause")


def check_id(item: pytest.Item) -> str:
    """Return the check's stable id: its name, as words; parameters as they are."""
    name, bracket, parameters = item.name.removeprefix("test_").partition("[")
    return name.replace("_", "-") + bracket + parameters


def severity(item: pytest.Item) -> Severity | None:
    """Return the check's severity, or None if it has not exactly one."""
    return _kind(item).severity


def role(item: pytest.Item) -> str | None:
    """Return ``symptom`` or ``cause``, or None for a test that is not a check."""
    return _kind(item).role


class _Kind(NamedTuple):
    role: str | None
    severity: Severity | None


KIND = pytest.StashKey[_Kind]()


def _kind(item: pytest.Item) -> _Kind:
    """Return what its markers say of a check: they are looked for once, and asked for often."""
    if KIND not in item.stash:
        severities = [name for name in SEVERITIES if item.get_closest_marker(name)]
        item.stash[KIND] = _Kind(
            role=next((name for name in ROLES if item.get_closest_marker(name)), None),
            severity=severities[0] if len(severities) == 1 else None,
        )
    return item.stash[KIND]


def failures(item: pytest.Item, graph: Graph | None = None) -> dict[str, tuple[str, ...]]:
    """Return the documented failures that the check is about, each with its signatures.

    A cause check is about those that the platform's graph says it explains.
    """
    found: dict[str, tuple[str, ...]] = {
        mark.args[0]: tuple(mark.args[1:]) for mark in item.iter_markers("symptom")
    }
    node = graph.causes.get(check_id(item)) if graph and role(item) == "cause" else None
    return found | dict.fromkeys(node.explains, ()) if node else found


def title(item: pytest.Item) -> str:
    """Return the first sentence of the check's docstring."""
    text = getattr(getattr(item, "obj", None), "__doc__", None) or ""
    return re.split(r"\n\s*\n|(?<=\.)\s", text.strip())[0].replace("\n", " ")


def result(
    item: pytest.Item, call: pytest.CallInfo[Any], catalogue: Catalogue, graph: Graph
) -> CheckResult:
    """Return how the check went, from the phase that decided it."""
    error = call.excinfo.value if call.excinfo else None
    status = _status(call.when, error)
    observed = observed_by(item)
    return CheckResult(
        id=check_id(item),
        role=role(item) or "symptom",
        status=status,
        severity=severity(item) or "p3",
        failures=tuple(failures(item, graph)),
        title=title(item),
        message=_message(error),
        remedy=error.remedy if isinstance(error, Blocked) else None,
        transport=isinstance(error, NoAnswer),
        probes=tuple(observation.probe for observation in observed),
        finding=error.finding if isinstance(error, CauseFound) else None,
        sightings=_sightings(item, catalogue) if status is Status.FAILED else {},
        duration_ms=round(call.duration * 1000, 3),
    )


def observed_by(item: pytest.Item) -> list[Observation]:
    """Return what was observed for a check."""
    observer = item.config.stash[RUN].observer
    return [observer.observation(probe) for probe in item.stash.get(PROBES, [])]


def _status(when: str, error: BaseException | None) -> Status:
    if error is None:
        return Status.PASSED
    if isinstance(error, Blocked | CannotJudge):
        return Status.BLOCKED
    if when == "call" and isinstance(error, AssertionError | NoAnswer | pytest.fail.Exception):
        return Status.FAILED
    return Status.BROKEN


def _message(error: BaseException | None) -> str:
    if error is None:
        return ""
    if isinstance(error, Blocked):
        return error.reason
    return str(error).partition("\nassert ")[0] or type(error).__name__


def _sightings(item: pytest.Item, catalogue: Catalogue) -> dict[str, tuple[Sighting, ...]]:
    observed = observed_by(item)
    return {
        failure: sightings([catalogue[failure].signature(name) for name in names], observed)
        for failure, names in failures(item).items()
    }
