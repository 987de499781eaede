"""The guard: what may leave this process. Read-only, and within the budget of the run.

AWS has its own list (`harness.aws.operations`), held against every call before it is signed.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from urllib.parse import urlsplit

from harness.audit import Audit
from harness.environment import Limits
from harness.journey import NOT_ALLOWED
from harness.observation import Failure, FailureKind
from harness.specs import (
    AwsProbe,
    ClientProbe,
    ContractProbe,
    HttpProbe,
    JourneyProbe,
    PostgresProbe,
    Probe,
)

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# POSTs that read: validating a key changes nothing at the auth service, a search nothing at MLflow.
# Whole paths: what merely ends or begins so is another one.
READ_ONLY_POSTS = re.compile(
    r"/api/v1/keys/validate"
    r"|(?:/api/mlflow|/mlflow)?/(?:api|ajax-api)/2\.0/mlflow/(?:experiments|runs|registered-models|"
    r"model-versions)/search"
)
# All that --allow-writes adds: the requests of the journey, which removes what it makes.
JOURNEY = {
    "POST": re.compile(
        r"/api/mlflow/api/2\.0/mlflow/(?:experiments/(?:create|delete)|registered-models/create|"
        r"runs/(?:create|delete|log-metric)|model-versions/create)"
    ),
    "PUT": re.compile(r"/api/mlflow/api/2\.0/mlflow-artifacts/artifacts/[\w/.-]+/model/note\.txt"),
    "DELETE": re.compile(
        r"/api/mlflow/api/2\.0/(?:mlflow/(?:registered-models|model-versions)/delete|"
        r"mlflow-artifacts/artifacts/[\w/.-]+/model/note\.txt)"
    ),
}
READ_ONLY_SESSION = "a read-only session with a statement time-out"


class Guard:
    """Admits or refuses each probe before anything is sent. Used from one thread only."""

    def __init__(self, limits: Limits, audit: Audit | None = None, *, writes: bool = False) -> None:
        """``audit`` hears of everything that is admitted or refused here.

        ``writes`` admits the requests of the journey as well.
        """
        self._limits, self._audit, self._writes = limits, audit, writes
        self._probes = 0
        self._first: float | None = None
        self._per_host: Counter[str] = Counter()

    def refusal(self, probe: Probe) -> Failure | None:
        """Return why ``probe`` may not be sent, or None and count it against the budget."""
        rule = _rule(probe) or (_writing_rule(probe) if self._writes else None)
        refused = self._over_budget(probe) if rule else _not_read_only(probe)
        # The control plane's sections are operations, which are entered one by one.
        if self._audit is not None and not isinstance(probe, AwsProbe):
            told = refused.message if refused else str(rule)
            kind = str(probe.__struct_config__.tag)
            self._audit(kind, probe.label, told, vantage=probe.vantage, performed=refused is None)
        return refused

    def _over_budget(self, probe: Probe) -> Failure | None:
        # From the first probe on: a gate may wait for the rollout before it.
        self._first = self._first or time.monotonic()
        if time.monotonic() - self._first > self._limits.run_seconds:
            limit = self._limits.run_seconds
            return _exhausted("seconds of a run", "limits.run_seconds", limit)
        self._probes += 1
        if self._probes > self._limits.probes:
            return _exhausted("probes in a run", "limits.probes", self._limits.probes)
        if isinstance(probe, HttpProbe | ClientProbe):
            host = urlsplit(probe.url).netloc
            self._per_host[host] += 1
            if self._per_host[host] > self._limits.requests_per_host:
                limit = self._limits.requests_per_host
                return _exhausted(f"requests to {host}", "limits.requests_per_host", limit)
        return None


def _rule(probe: Probe) -> str | None:
    """Return what admits a probe; None if nothing does."""
    match probe:
        case HttpProbe() | ClientProbe() if probe.method in SAFE_METHODS:
            return f"{probe.method} is safe"
        case HttpProbe() if probe.method == "POST" and _reads(probe.url):
            return "a POST on the list of those that read"
        case HttpProbe() | ClientProbe():
            return None
        case JourneyProbe():
            return None
        case PostgresProbe():
            return READ_ONLY_SESSION
        case ContractProbe():
            return "code of a checkout, run on this machine"
        case _:
            return "it only looks"


def _writing_rule(probe: Probe) -> str | None:
    if isinstance(probe, JourneyProbe):
        return "writes are allowed"
    if isinstance(probe, HttpProbe) and (allowed := JOURNEY.get(probe.method)):
        path = urlsplit(probe.url).path
        # A path that climbs would be another one at the server.
        if allowed.fullmatch(path) and ".." not in path:
            return "a request of the journey: writes are allowed"
    return None


def _reads(url: str) -> bool:
    return READ_ONLY_POSTS.fullmatch(urlsplit(url).path) is not None


def _not_read_only(probe: Probe) -> Failure:
    if isinstance(probe, JourneyProbe):
        return NOT_ALLOWED
    assert isinstance(probe, HttpProbe | ClientProbe)
    return Failure(
        kind=FailureKind.NOT_PERMITTED,
        message=f"{probe.method} {urlsplit(probe.url).path} is not a read-only request",
        remedy="no check of an environment may write to it: use a request that only reads",
    )


def _exhausted(what: str, setting: str, limit: float) -> Failure:
    return Failure(
        kind=FailureKind.BUDGET_EXHAUSTED,
        message=f"the budget of {limit:g} {what} is used up",
        remedy=f"raise {setting} in the environment file, or select fewer checks",
    )
