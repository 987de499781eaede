"""From one run's results to the hand-off. Pure: nothing is asked, nothing is written."""

from __future__ import annotations

import time
from collections import Counter

from harness.catalogue import DocumentedFailure
from harness.diagnosis import WRONG, RootCause
from harness.observation import AwsObservation, Observation
from harness.reports.deployment import identity_in
from harness.reports.handoff import deployed, evidence, metrics, pasting, picture
from harness.reports.handoff.model import (
    Action,
    Cause,
    Failure,
    HandOff,
    Impact,
    Suffered,
    Symptom,
)
from harness.reports.handoff.sources import Sources
from harness.signatures import evidence as seen_in
from harness.verdicts import CheckResult, Judgement, Status, Verdict

WHO = {"users": "Users", "business": "Business", "data": "Data"}
FIRST = {"now": 0, "24 hours": 1, "one week": 2}


def build(sources: Sources, *, replayed: bool = False, samples: int = 1) -> HandOff:
    """Return the hand-off of a run; ``samples`` is how often each probe was to be asked."""
    tested, causes = sources.environment, _causes(sources)
    failures = tuple(_failure(sources, judgement, causes) for judgement in sources.judgements)
    lines = [command.line for failure in failures for command in failure.reproduction]
    lines += [line for cause in causes for line in cause.mend]
    return HandOff(
        run=sources.facts.run,
        environment=tested.name,
        description=tested.description,
        registry=tested.registry.url,
        platform=_platform(sources),
        activity=_activity(sources),
        started=time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(sources.facts.started)),
        duration_s=round(sources.duration_s, 1),
        exit_code=sources.facts.exit_code,
        replayed=replayed,
        summary=_summary(sources),
        deployed=deployed.deployed(sources),
        vantage_points=deployed.vantage_points(sources),
        contacts=deployed.contacts(sources),
        shell=pasting.shell(tested, lines),
        tools=pasting.tools(lines),
        picture=picture.picture(
            sources.layout,
            sources.by_id,
            {check: cause.number for cause in causes for check in cause.checks},
        ),
        causes=causes,
        unexplained=sources.diagnosis.unexplained,
        unknown=tuple(evidence.of_check(sources.by_id[id]) for id in sources.diagnosis.unknown),
        failures=failures,
        not_judged_at_all=_not_selected(sources),
        metrics=tuple(
            metrics.metric(sources, sources.catalogue[each.failure], each)
            for each in sorted(sources.judgements, key=lambda judgement: judgement.number)
        ),
        samples_asked=samples,
        actions=_actions(sources, causes),
        impact=_impact(sources),
        asked=deployed.asked(sources),
        changes=None if sources.changes is None else tuple(sources.changes),
        waivers=tuple(sources.waivers),
        counts=dict(sorted(Counter(str(check.status) for check in sources.checks).items())),
    )


def _platform(sources: Sources) -> str:
    aws, who = sources.environment.aws, identity_in(sources.observations.values())
    if aws is None:
        return "no AWS"
    return f"ECS cluster {aws.cluster} in {aws.region}" + (f", asked as {who}" if who else "")


def _activity(sources: Sources) -> str:
    """Return what left the suite's machine, and what the guard kept back."""
    if sources.activity is None:
        return "not kept beside the record"
    done = [f"{many} {kind} from {place}" for place, kind, many, _ in sources.activity if many]
    refused = sum(each[3] for each in sources.activity)
    return f"{', '.join(done) or 'nothing'}; refused by the guard: {refused or 'nothing'}"


def _summary(sources: Sources) -> str:
    counted = Counter(judgement.verdict for judgement in sources.judgements)
    told = [f"{counted[verdict]} {verdict}" for verdict in Verdict if counted[verdict]]
    if partly := sum(j.verdict is Verdict.FIXED and j.not_run > 0 for j in sources.judgements):
        told[-1] += f" ({partly} of them as far as its checks ran)"
    judged = len(sources.judgements)
    return (
        f"of {judged} documented failure{'s' * (judged != 1)}: {', '.join(told) or 'none judged'}"
    )


def _causes(sources: Sources) -> tuple[Cause, ...]:
    return tuple(
        _cause(sources, number, cause)
        for number, cause in enumerate(sources.diagnosis.root_causes, 1)
    )


def _cause(sources: Sources, number: int, cause: RootCause) -> Cause:
    found = cause.finding
    seen = [sources.observations[key] for key in cause.probes if key in sources.observations]
    return Cause(
        number=number,
        checks=(cause.check, *cause.same),
        what=found.what[:1].upper() + found.what[1:],
        where=found.resource,
        expected=found.expected,
        observed=found.observed,
        failures=cause.explains,
        consequences=cause.consequences,
        evidence=tuple(map(_seen, seen)),
        mend=found.mend,
        prove=cause.prove,
    )


def _seen(observation: Observation) -> str:
    if isinstance(observation, AwsObservation):
        # The control plane's state is long: it stays in the record.
        return f"{observation.label}, observation {observation.probe}"
    return seen_in(observation)


def _failure(sources: Sources, judgement: Judgement, causes: tuple[Cause, ...]) -> Failure:
    documented = sources.catalogue[judgement.failure]
    lacking = [c for c in sources.symptoms(documented.id) if c.status is not Status.PASSED]
    return Failure(
        id=documented.id,
        number=documented.number,
        title=documented.title,
        component=documented.component,
        owner=documented.owner,
        severity=judgement.severity,
        verdict=judgement.verdict,
        because=judgement.because,
        impact=documented.impact,
        causes=tuple(cause.number for cause in causes if documented.id in cause.failures),
        errors=tuple(sighting.evidence for sighting in judgement.sightings),
        symptoms=tuple(_symptom(check) for check in lacking),
        hypotheses=evidence.hypotheses(sources, documented, judgement),
        reproduction=pasting.reproduction(sources, documented),
        fixes=evidence.fixes(sources, documented, judgement),
        prove=f"make validate FAILURE={documented.id} ENV={sources.environment.name}",
        passed=judgement.passed,
        failed=judgement.failed,
        blocked=judgement.blocked,
        not_run=judgement.not_run,
    )


def _symptom(check: CheckResult) -> Symptom:
    return Symptom(
        check=check.id,
        title=check.title,
        status=check.status,
        severity=check.severity,
        told=check.message,
        remedy=check.remedy or "",
    )


def _not_selected(sources: Sources) -> tuple[str, ...]:
    judged = {judgement.failure for judgement in sources.judgements}
    return tuple(
        f"{failure.number}. {failure.title}: "
        + sources.environment.not_applicable.get(failure.id, "not among the checks of this run")
        for failure in sources.catalogue.values()
        if failure.id not in judged
    )


def _actions(sources: Sources, causes: tuple[Cause, ...]) -> dict[str, tuple[Action, ...]]:
    """Return what is to be done by deadline, a root cause under its most pressing failure."""
    wrong = [sources.catalogue[j.failure] for j in sources.judgements if j.verdict in WRONG]
    found = [_mending(cause, wrong) for cause in causes]
    found += [_unexplained(failure) for failure in wrong if failure.id in _open(sources)]
    found.sort(key=lambda action: (FIRST.get(action.within, len(FIRST)), action.cause or 99))
    deadlines = dict.fromkeys(action.within for action in found)
    return {each: tuple(a for a in found if a.within == each) for each in deadlines}


def _open(sources: Sources) -> tuple[str, ...]:
    return sources.diagnosis.unexplained


def _mending(cause: Cause, wrong: list[DocumentedFailure]) -> Action:
    mine = [failure for failure in wrong if failure.id in cause.failures]
    mine.sort(key=lambda failure: (failure.documented.priority, failure.number))
    return Action(
        text=f"Mend root cause {cause.number}: {cause.what}",
        owner=mine[0].owner if mine else "",
        within=mine[0].fix_within if mine else "no deadline: it explains no documented failure",
        failures=tuple(failure.id for failure in mine),
        cause=cause.number,
    )


def _unexplained(failure: DocumentedFailure) -> Action:
    return Action(
        text=f"{failure.action} No cause was found: begin with the hypotheses not judged.",
        owner=failure.owner,
        within=failure.fix_within,
        failures=(failure.id,),
    )


def _impact(sources: Sources) -> tuple[Impact, ...]:
    """Return what was observed of it; who has no failed check against them is said to have none."""
    return tuple(
        Impact(who=title, told=tuple(_suffered(sources, who))) for who, title in WHO.items()
    )


def _suffered(sources: Sources, who: str) -> list[Suffered]:
    told = []
    for judgement in sources.judgements:
        failure = sources.catalogue[judgement.failure]
        if who in failure.affects and judgement.verdict in WRONG:
            told.append(Suffered(text=failure.impact, seen=judgement.because))
        if who in failure.affects and judgement.verdict is Verdict.BLOCKED:
            told.append(Suffered(text=f"Not known: {failure.id} could not be judged."))
    return told
