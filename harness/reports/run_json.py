"""``run.json``: the machine-readable result of a run. Its schema is in docs/run-json.md."""

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness import whole
from harness.diagnosis import Diagnosis
from harness.verdicts import CheckResult, Judgement
from harness.waivers import Applied

NAME = "run.json"
SCHEMA = 1


class RunFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What identifies a run."""

    run: str
    environment: str
    started: float
    exit_code: int
    deployed: dict[str, str] = {}
    vantage_points: tuple[str, ...] = ()
    replayed: bool = False


def write(
    folder: Path,
    facts: RunFacts,
    checks: Sequence[CheckResult],
    judgements: Sequence[Judgement],
    diagnosis: Diagnosis,
    waivers: Sequence[Applied] = (),
) -> Path:
    """Write ``run.json`` into ``folder``, whole or not at all, and return its path."""
    document = as_document(facts, checks, judgements, diagnosis, waivers)
    path = folder / NAME
    whole.write(path, msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    return path


def as_document(
    facts: RunFacts,
    checks: Sequence[CheckResult],
    judgements: Sequence[Judgement],
    diagnosis: Diagnosis,
    waivers: Sequence[Applied] = (),
) -> dict[str, Any]:
    """Return the result as plain JSON values."""
    return {
        "schema": SCHEMA,
        "run": facts.run,
        "environment": facts.environment,
        "replayed": facts.replayed,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(facts.started)),
        "duration_s": round(time.time() - facts.started, 3),
        "exit_code": facts.exit_code,
        "deployed": facts.deployed,
        "vantage_points": list(facts.vantage_points),
        "counts": dict(sorted(Counter(check.status for check in checks).items())),
        "root_causes": msgspec.to_builtins(diagnosis.root_causes),
        "unexplained": list(diagnosis.unexplained),
        "unknown": list(diagnosis.unknown),
        "waivers": msgspec.to_builtins(list(waivers)),
        "verdicts": msgspec.to_builtins(list(judgements)),
        "checks": msgspec.to_builtins(sorted(checks, key=lambda check: check.id)),
    }
