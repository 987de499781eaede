"""``--gate``: after a deployment, wait until it is there, then judge what may stop it."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

import pytest

from harness import exit_codes
from harness.errors import UsageError
from harness.plugin import outcome
from harness.plugin.run import RUN

if TYPE_CHECKING:
    from harness.rollout import Rollout

BUDGET_S = 120.0
_UNITS = {"s": 1, "m": 60}
_DURATION = re.compile(r"(\d+)([sm])")
ROLLOUTS: pytest.StashKey[list[Rollout]] = pytest.StashKey()


def add_options(group: pytest.OptionGroup) -> None:
    """Add the options of the gate."""
    group.addoption(
        "--gate",
        action="store_true",
        help="wait until the rollout is done, then run the checks whose severities block (policy) "
        "and exit 0 passed, 1 failed, 4 usage, 6 not judged, 7 rolled back, stale or not done",
    )
    group.addoption(
        "--revision",
        metavar="[SERVICE=]REV,…",
        default="",
        help="with --gate: the git hash, tag or image digest that has to run (of the api service, "
        "if none is named)",
    )
    group.addoption(
        "--budget",
        metavar="TIME",
        type=_seconds,
        default=BUDGET_S,
        help="with --gate: how long to wait for the rollout (default: 120s)",
    )


def _seconds(text: str) -> float:
    found = _DURATION.fullmatch(text)
    if not found:
        raise argparse.ArgumentTypeError(f"a time like 90s or 5m, not {text!r}")
    return int(found[1]) * float(_UNITS[found[2]])


def check_options(config: pytest.Config) -> None:
    """Raise UsageError for options that do not go together."""
    if config.getoption("--revision") and not config.getoption("--gate"):
        raise UsageError("--revision is for --gate: give both")
    if config.getoption("--gate") and (config.getoption("--replay") or config.option.validate):
        raise UsageError("--gate judges a deployment as it is now: leave out the other option")


def wait(session: pytest.Session) -> None:
    """Wait until every service's rollout is done; end the run at once where none will be."""
    config = session.config
    started = config.stash.get(RUN, None)
    if started is None or not config.getoption("--gate") or hasattr(config, "workerinput"):
        return
    # Only the gate waits, and needs what reads deployments.
    from harness.plugin import rollouts

    config.stash[ROLLOUTS] = rollouts.wait(config, started)


def select(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the checks whose severities block, the most severe first: others change no answer."""
    if not config.getoption("--gate"):
        return
    blocking = config.stash[RUN].environment.policy.blocks
    out = [item for item in items if outcome.severity(item) not in blocking]
    config.hook.pytest_deselected(items=out)
    kept = [item for item in items if item not in out]
    items[:] = sorted(kept, key=lambda item: str(outcome.severity(item)))


def answer(config: pytest.Config, exit_code: int) -> str:
    """Return the gate's answer in a line."""
    words = {
        exit_codes.PASSED: "PASSED",
        exit_codes.FAILED: "FAILED",
        exit_codes.BLOCKED: "NOT JUDGED",
    }
    rollouts = "; ".join(f"{each.service} {each.told}" for each in config.stash.get(ROLLOUTS, []))
    return f"GATE {words.get(exit_code, 'ENDED')} (exit code {exit_code}): {rollouts}"
