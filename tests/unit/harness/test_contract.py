from __future__ import annotations

from pathlib import Path

import pytest

from harness.observation import ContractObservation, FailureKind
from harness.probes import contract
from harness.specs import ContractProbe

SOUND = """
import os, time

class Breaker:
    def __init__(self, failure_threshold=None, recovery_timeout=None, max_recovery_attempts=None):
        def read(given, name, default):
            return given if given is not None else float(os.environ.get(name, default))
        self.threshold = read(failure_threshold, "MLFLOW_CB_FAILURE_THRESHOLD", 3)
        self.timeout = read(recovery_timeout, "MLFLOW_CB_RECOVERY_TIMEOUT", 30)
        self.attempts = read(max_recovery_attempts, "MLFLOW_CB_MAX_RECOVERY_ATTEMPTS", 3)
        self.force_reset()
    def force_reset(self):
        self.state, self.failure_count, self.tries, self.since = "CLOSED", 0, 0, 0.0
    def wait(self):
        return self.timeout * 2 ** max(0, self.tries - self.attempts)
    def is_open(self):
        if self.state == "OPEN" and time.monotonic() - self.since >= self.wait():
            self.state, self.tries = "HALF_OPEN", self.tries + 1
        return self.state == "OPEN"
    def record_failure(self):
        self.failure_count += 1
        if self.state == "HALF_OPEN" or self.failure_count >= self.threshold:
            self.state, self.since = "OPEN", time.monotonic()
    def record_success(self):
        self.force_reset()
    def get_status(self):
        return {"state": self.state}
"""


def hold(tmp_path: Path, source: str, deadline: float = 20.0) -> ContractObservation:
    (tmp_path / "breaker.py").write_text(source)
    probe = ContractProbe(
        contract="circuit_breaker", setting="x", target="breaker:Breaker", deadline=deadline
    )
    return contract.observe(probe, str(tmp_path))


def broken_cases(seen: ContractObservation) -> set[str]:
    assert seen.failure is None, seen.failure
    return {case.id for case in seen.cases if not case.passed}


def test_a_sound_class_keeps_every_case(tmp_path: Path) -> None:
    assert broken_cases(hold(tmp_path, SOUND)) == set()


@pytest.mark.parametrize(
    ("sound", "defect", "case"),
    [
        ("given if given is not None", "given if given", "test_edge_case_zero_threshold"),
        ("given if given is not None", "given if given", "test_edge_case_zero_timeout"),
        ("2 ** max(0, self.tries - self.attempts)", "2 ** 0", "test_max_recovery_attempts"),
        ("os.environ.get(name, default)", "default", "test_environment_configuration"),
        ("self.failure_count >= self.threshold", "False", "opens-at-its-threshold"),
        (
            "        self.force_reset()\n    def get",
            "        pass\n    def get",
            "closes-after-success",
        ),
        ('{"state": self.state}', "{}", "reports-its-state"),
        (
            'self.state, self.failure_count, self.tries, self.since = "CLOSED", 0, 0, 0.0',
            'self.__dict__ = {"state": "CLOSED", "failure_count": 0, "tries": 0, "since": 0.0, '
            "**self.__dict__}",
            "reset-closes",
        ),
    ],
)
def test_each_case_turns_red_by_its_defect(
    tmp_path: Path, sound: str, defect: str, case: str
) -> None:
    assert sound in SOUND
    assert case in broken_cases(hold(tmp_path, SOUND.replace(sound, defect)))


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import nothing_of_that_name", "ModuleNotFoundError"),
        ("x = 1", "AttributeError"),
        ("while True: pass", "not done within 1 s"),
        ("import os; os._exit(3)", "exit code 3"),
    ],
)
def test_a_class_that_cannot_be_loaded_is_told(tmp_path: Path, source: str, told: str) -> None:
    seen = hold(tmp_path, source, deadline=1.0)
    assert seen.failure is not None
    assert seen.failure.kind == FailureKind.CONTRACT_UNLOADABLE
    assert told in seen.failure.message
