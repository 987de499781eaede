"""The contract of a circuit breaker, as the platform's own tests and documents have it.

Run as ``circuit_breaker.py SOURCE MODULE:CLASS``; prints one JSON document. It needs nothing but
the standard library, and only what is documented of the class: its three settings as keyword
arguments or environment variables, ``is_open``, ``record_success``, ``record_failure``,
``get_status``, ``force_reset``, and the attributes ``state`` and ``failure_count``.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

Make = Callable[..., Any]
SHORT_S = 0.05
PATIENCE_S = 2.0
VARIABLES = {
    "MLFLOW_CB_FAILURE_THRESHOLD": "failure_threshold",
    "MLFLOW_CB_RECOVERY_TIMEOUT": "recovery_timeout",
    "MLFLOW_CB_MAX_RECOVERY_ATTEMPTS": "max_recovery_attempts",
}


def opens_at_its_threshold(make: Make) -> None:
    """Closed below the threshold, open at it."""
    breaker = make(failure_threshold=3, recovery_timeout=60, max_recovery_attempts=3)
    for _ in range(2):
        breaker.record_failure()
    require(not breaker.is_open(), "open after 2 of 3 failures")
    breaker.record_failure()
    require(breaker.is_open(), "still closed after 3 of 3 failures")


def closes_after_success(make: Make) -> None:
    """Half open after the time-out; successes close it."""
    breaker = make(failure_threshold=1, recovery_timeout=SHORT_S, max_recovery_attempts=3)
    breaker.record_failure()
    open_for(breaker)
    for _ in range(5):
        breaker.record_success()
    require(not breaker.is_open(), "still open after a recovery and five successes")
    require(named(breaker.state) == "CLOSED", f"its state is {named(breaker.state)}, not CLOSED")


def reset_closes(make: Make) -> None:
    """A forced reset closes an open breaker and forgets its failures."""
    breaker = make(failure_threshold=1, recovery_timeout=60, max_recovery_attempts=3)
    breaker.record_failure()
    breaker.force_reset()
    require(not breaker.is_open(), "still open after force_reset()")
    require(breaker.failure_count == 0, f"failure_count is {breaker.failure_count} after a reset")


def reports_its_state(make: Make) -> None:
    """The status names the state it is in."""
    breaker = make(failure_threshold=1, recovery_timeout=60, max_recovery_attempts=3)
    breaker.record_failure()
    status = json.dumps(breaker.get_status(), default=named).upper()
    require("OPEN" in status, f"get_status() of an open breaker says {status}")


def max_recovery_attempts(make: Make) -> None:
    """Once its recovery attempts are used up, an open breaker waits longer and longer."""
    breaker = make(failure_threshold=1, recovery_timeout=SHORT_S, max_recovery_attempts=2)
    waits = []
    for _ in range(5):
        breaker.record_failure()
        waits.append(open_for(breaker))
    grown = waits[-1] / waits[0]
    told = ", ".join(f"{wait * 1000:.0f}" for wait in waits)
    require(grown >= 1.5, f"the wait before each recovery attempt does not grow: {told} ms")


def zero_threshold(make: Make) -> None:
    """A threshold of zero is meant: the first failure opens."""
    breaker = make(failure_threshold=0, recovery_timeout=60, max_recovery_attempts=3)
    breaker.record_failure()
    require(breaker.is_open(), "closed after a failure with a threshold of 0")


def zero_timeout(make: Make) -> None:
    """A time-out of zero is meant: an open breaker may be tried again at once."""
    breaker = make(failure_threshold=1, recovery_timeout=0, max_recovery_attempts=3)
    breaker.record_failure()
    require(named(breaker.state) == "OPEN", f"after a failure its state is {named(breaker.state)}")
    require(not breaker.is_open(), "still open at once with a recovery time-out of 0")


def environment_configuration(make: Make) -> None:
    """Without arguments, the settings are those of the environment when the breaker is made."""
    with variables(
        MLFLOW_CB_FAILURE_THRESHOLD="2",
        MLFLOW_CB_RECOVERY_TIMEOUT="60",
        MLFLOW_CB_MAX_RECOVERY_ATTEMPTS="7",
    ):
        breaker = make()
    breaker.record_failure()
    require(not breaker.is_open(), "open after 1 failure with MLFLOW_CB_FAILURE_THRESHOLD=2")
    breaker.record_failure()
    require(breaker.is_open(), "closed after 2 failures with MLFLOW_CB_FAILURE_THRESHOLD=2")


CASES: dict[str, Callable[[Make], None]] = {
    "opens-at-its-threshold": opens_at_its_threshold,
    "closes-after-success": closes_after_success,
    "reset-closes": reset_closes,
    "reports-its-state": reports_its_state,
    "test_max_recovery_attempts": max_recovery_attempts,
    "test_edge_case_zero_threshold": zero_threshold,
    "test_edge_case_zero_timeout": zero_timeout,
    "test_environment_configuration": environment_configuration,
}


class Unmet(Exception):
    """A requirement does not hold."""


def require(holds: bool, otherwise: str) -> None:
    """Raise Unmet unless the requirement holds."""
    if not holds:
        raise Unmet(otherwise)


def open_for(breaker: Any) -> float:
    """Return for how many seconds the breaker stays open. Raises Unmet if it stays too long."""
    begun = time.monotonic()
    while breaker.is_open():
        require(time.monotonic() - begun < PATIENCE_S, f"open for more than {PATIENCE_S:g} s")
        time.sleep(0.002)
    return time.monotonic() - begun


def named(state: Any) -> str:
    """Return a state's name, whether it is an enumeration's member or a text."""
    return str(getattr(state, "name", state)).upper()


@contextmanager
def variables(**values: str) -> Any:
    """Set environment variables for a while."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def judge(case: Callable[[Make], None], make: Make) -> dict[str, Any]:
    """Return how one case went; a class that raises has not kept it."""
    for name in VARIABLES:
        os.environ.pop(name, None)
    try:
        case(make)
    except Unmet as error:
        return {"passed": False, "message": str(error)}
    except Exception as error:
        return {"passed": False, "message": f"{type(error).__name__}: {error}"}
    return {"passed": True}


def main(source: str, target: str) -> dict[str, Any]:
    """Hold the class to every case and return the report."""
    module_name, _, class_name = target.partition(":")
    sys.path.insert(0, source)
    try:
        make = getattr(importlib.import_module(module_name), class_name)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"cases": [{"id": name, **judge(case, make)} for name, case in CASES.items()]}


if __name__ == "__main__":
    real_stdout, sys.stdout = sys.stdout, sys.stderr
    json.dump(main(*sys.argv[1:3]), real_stdout)
