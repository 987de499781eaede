"""The guard: what may leave this process. Read-only, and within the budget of the run."""

from __future__ import annotations

from collections import Counter
from urllib.parse import urlsplit

from harness.environment import Limits
from harness.observation import Failure, FailureKind
from harness.specs import ClientProbe, HttpProbe, Probe

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# POSTs that read: validating a key changes nothing at the auth service, a search nothing at MLflow.
READ_ONLY_POSTS = ("/api/v1/keys/validate", "/experiments/search", "/runs/search")


class Guard:
    """Admits or refuses each probe before anything is sent. Used from one thread only."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._probes = 0
        self._per_host: Counter[str] = Counter()

    def refusal(self, probe: Probe) -> Failure | None:
        """Return why ``probe`` may not be sent, or None and count it against the budget."""
        if isinstance(probe, HttpProbe) and not _reads_only(probe):
            return Failure(
                kind=FailureKind.NOT_PERMITTED,
                message=f"{probe.method} {urlsplit(probe.url).path} is not a read-only request",
                remedy="run with --allow-writes if this environment may be written to",
            )
        return self._over_budget(probe)

    def _over_budget(self, probe: Probe) -> Failure | None:
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


def _reads_only(probe: HttpProbe) -> bool:
    if probe.method in SAFE_METHODS:
        return True
    return probe.method == "POST" and urlsplit(probe.url).path.endswith(READ_ONLY_POSTS)


def _exhausted(what: str, setting: str, limit: int) -> Failure:
    return Failure(
        kind=FailureKind.BUDGET_EXHAUSTED,
        message=f"the budget of {limit} {what} is used up",
        remedy=f"raise {setting} in the environment file, or select fewer checks",
    )
