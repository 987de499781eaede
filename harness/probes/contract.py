"""Hold a class to a contract, in a process of its own: code that hangs or crashes is an answer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec

from harness.observation import ContractCase, ContractObservation, Failure, FailureKind
from harness.specs import ContractProbe

CONTRACTS = Path(__file__).parent.parent / "contracts"


class _Report(msgspec.Struct, frozen=True):
    error: str | None = None
    cases: tuple[ContractCase, ...] = ()


def observe(probe: ContractProbe, source: str) -> ContractObservation:
    """Run the contract's script on the class below ``source`` and tell how each case went."""
    command = [sys.executable, "-I", str(CONTRACTS / f"{probe.contract}.py")]
    try:
        done = subprocess.run(
            [*command, source, probe.target],
            capture_output=True,
            timeout=probe.deadline,
            check=False,
            env={"PATH": os.environ.get("PATH", ""), "PYTHONDONTWRITEBYTECODE": "1"},
        )
    except subprocess.TimeoutExpired:
        return _failed(probe, source, f"not done within {probe.deadline:g} s")
    return _read(probe, source, done)


def _read(
    probe: ContractProbe, source: str, done: subprocess.CompletedProcess[bytes]
) -> ContractObservation:
    try:
        report = msgspec.json.decode(done.stdout[-probe.max_bytes :], type=_Report)
    except msgspec.MsgspecError:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        return _failed(
            probe, source, f"exit code {done.returncode}: {lines[-1] if lines else 'no output'}"
        )
    if report.error is not None:
        return _failed(probe, source, report.error)
    return ContractObservation(source=source, target=probe.target, cases=report.cases)


def _failed(probe: ContractProbe, source: str, message: str) -> ContractObservation:
    failure = Failure(
        kind=FailureKind.CONTRACT_UNLOADABLE,
        message=f"{probe.target} in {source}: {message}",
        remedy=f"point {probe.setting} and the target at the deployed class",
    )
    return ContractObservation(source=source, target=probe.target, failure=failure)
