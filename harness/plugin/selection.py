"""Which checks are run, whether they are well formed, and what they need."""

from __future__ import annotations

import pytest

from harness import catalogue, requirements
from harness.environment import Environment
from harness.errors import Missing, UsageError
from harness.plugin import outcome, waiving
from harness.plugin.declare import declared_probes
from harness.plugin.run import RUN, Run
from harness.replay import Replay
from harness.specs import AwsProbe, Probe


def require_well_formed(config: pytest.Config, checks: list[pytest.Item]) -> None:
    """Raise pytest.UsageError if a check lacks its severity, or names what does not exist."""
    seen: dict[str, str] = {}
    for item in checks:
        if outcome.severity(item) is None:
            raise pytest.UsageError(f"{item.nodeid}: a check needs exactly one of p0, p1, p2, p3")
        other = seen.setdefault(outcome.check_id(item), item.nodeid)
        if other != item.nodeid:
            raise pytest.UsageError(f"{item.nodeid}: has the same name as {other}")
        if (started := config.stash.get(RUN, None)) is not None:
            _require_known(started, item)
    if (started := config.stash.get(RUN, None)) is not None:
        waiving.require_known(started, set(seen))


def _require_known(started: Run, item: pytest.Item) -> None:
    if outcome.role(item) == "cause" and outcome.check_id(item) not in started.graph.causes:
        raise pytest.UsageError(
            f"{item.nodeid}: causes/platform.yaml has no cause '{outcome.check_id(item)}'"
        )
    try:
        for failure, signatures in outcome.failures(item).items():
            documented = catalogue.find(started.catalogue, failure)
            for signature in signatures:
                documented.signature(signature)
    except UsageError as error:
        raise pytest.UsageError(f"{item.nodeid}: {error}") from None


def deselect_inapplicable(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the checks whose documented failures the environment cannot have."""
    started = config.stash[RUN]
    absent = set(started.environment.not_applicable)
    no_aws = started.environment.aws is None
    out = [
        item
        for item in items
        if ((about := set(outcome.failures(item, started.graph))) and about <= absent)
        or (no_aws and outcome.role(item) == "cause")
    ]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


def may_write(config: pytest.Config, tested: Environment) -> bool:
    """Return True if the checks that write are run: if asked to, or by the environment's policy."""
    return bool(config.getoption("--allow-writes")) or tested.policy.writes


def deselect_writing(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the checks that write, unless writing is allowed."""
    if may_write(config, config.stash[RUN].environment):
        return
    if out := [item for item in items if item.get_closest_marker("writes")]:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


def needed(session: pytest.Session, started: Run) -> tuple[list[Probe], list[str]]:
    """Return the distinct probes that the selected checks need, and what these lack, once each."""
    probes: dict[str, Probe] = {}
    missing: dict[str, None] = {}
    replayed = isinstance(started.observer, Replay)
    for item in session.items:
        try:
            for probe in declared_probes(item, started.environment):
                probes[probe.key] = probe
                if not replayed:
                    requirements.check(probe, started.environment, started.credentials)
        except Missing as error:
            missing[str(error)] = None
    if any(isinstance(probe, AwsProbe) for probe in probes.values()):
        # Who was it that AWS answered? For whoever reads the result.
        identity = AwsProbe(section="identity", deadline=started.environment.limits.deadline)
        probes[identity.key] = identity
    return list(probes.values()), list(missing)
