"""What the checks say of the documented hypotheses and of the recommended fixes."""

from __future__ import annotations

from collections.abc import Sequence

from harness.catalogue import DocumentedFailure, Item
from harness.reports.handoff.model import Evidence, Fix, Hypothesis, Standing
from harness.reports.handoff.sources import Sources
from harness.verdicts import CheckResult, Judgement, Status

NO_CHECK = "no check of this suite speaks for or against it"
_RANK = {Standing.CONFIRMED: 0, Standing.NOT_JUDGED: 1, Standing.RULED_OUT: 2}


def hypotheses(
    sources: Sources, failure: DocumentedFailure, judgement: Judgement
) -> tuple[Hypothesis, ...]:
    """Return the documented possible causes, each with its standing; confirmed ones first."""
    found = [
        Hypothesis(text=item.text, standing=standing, evidence=evidence)
        for item in failure.possible_causes
        for standing, evidence in [_weigh(sources, item, judgement)]
    ]
    return tuple(sorted(found, key=lambda each: _RANK[each.standing]))


def fixes(sources: Sources, failure: DocumentedFailure, judgement: Judgement) -> tuple[Fix, ...]:
    """Return the recommended fixes in the order that the evidence suggests.

    First those that a root cause speaks for, then what else failed, what was not judged, and
    last those that the evidence speaks against.
    """
    causes = sources.diagnosis.root_causes
    roots = {check for cause in causes for check in (cause.check, *cause.same)}
    weighed = []
    for item in failure.recommended_fixes:
        standing, evidence = _weigh(sources, item, judgement)
        telling = [e for e in evidence if e.check in roots]
        fix = Fix(text=item.text, standing=standing, because=_because(standing, evidence, telling))
        weighed.append((_RANK[standing], not telling, fix))
    return tuple(fix for _rank, _late, fix in sorted(weighed, key=lambda each: each[:2]))


def of_check(check: CheckResult) -> Evidence:
    """Return a check as evidence."""
    return Evidence(check=check.id, status=check.status, told=told(check))


def told(check: CheckResult) -> str:
    """Return in one line what a check says, whichever way it went."""
    if check.finding is not None:
        found = check.finding
        return f"{found.what}: expected {found.expected}, observed {found.observed}"
    return " ".join((check.message or check.title).split())


def _weigh(
    sources: Sources, item: Item, judgement: Judgement
) -> tuple[Standing, tuple[Evidence, ...]]:
    checks = [sources.by_id[id] for id in item.checks if id in sources.by_id]
    failed = [check for check in checks if check.status is Status.FAILED]
    seen = [s for s in judgement.sightings if s.signature in item.signatures]
    if failed or seen:
        sighted = [
            Evidence(check=f"signature {s.signature}", status=Status.FAILED, told=s.evidence)
            for s in seen
        ]
        return Standing.CONFIRMED, (*map(of_check, failed), *sighted)
    unjudged = [check for check in checks if check.status is not Status.PASSED]
    missing = len(checks) < len(item.checks) or not (item.checks or item.signatures)
    if unjudged or missing or (item.signatures and judgement.blocked):
        return Standing.NOT_JUDGED, tuple(map(of_check, unjudged))
    return Standing.RULED_OUT, tuple(map(of_check, checks)) or _absent(item)


def _absent(item: Item) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(check=f"signature {name}", status=Status.PASSED, told="not seen")
        for name in item.signatures
    )


def _because(standing: Standing, evidence: Sequence[Evidence], telling: Sequence[Evidence]) -> str:
    if not evidence:
        return NO_CHECK
    if standing is Standing.CONFIRMED:
        return (telling or evidence)[0].told
    if standing is Standing.NOT_JUDGED:
        return f"{evidence[0].check}: {evidence[0].told}"
    return f"{len(evidence)} checks passed: " + ", ".join(e.check for e in evidence)
