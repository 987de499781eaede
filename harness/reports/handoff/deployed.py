"""The head of the hand-off: what is deployed, where probes ran from, who may be asked."""

from __future__ import annotations

import time
from collections import Counter

from harness.aws import view
from harness.observation import AwsObservation, FailureKind
from harness.reports.handoff.model import Asked, Contact, Deployed, VantagePoint
from harness.reports.handoff.sources import Sources

# What this run itself observes of the things that the documented hand-off asks for.
OBSERVED_IN = {
    "security-groups": ("security groups",),
    "cloud-map": ("namespaces", "discovery services", "discovery instances"),
    "secret-configuration": ("secret", "task definitions"),
}


def deployed(sources: Sources) -> tuple[Deployed, ...]:
    """Return what runs of each service, as AWS told it; empty if it was not asked."""
    services, definitions = sources.section("services"), sources.section("task-definitions")
    if services is None or sources.environment.aws is None:
        return ()
    return tuple(
        _service(found, each.container, definitions)
        for each in sources.environment.aws.services.values()
        if (found := view.service(services, each.service))
    )


def vantage_points(sources: Sources) -> tuple[VantagePoint, ...]:
    """Return where probes ran from, and why they could not where they could not."""
    seen = [o for o in sources.observations.values() if not isinstance(o, AwsObservation)]
    counted = Counter(observation.vantage for observation in seen)
    lacking = {
        o.vantage: o.failure.message
        for o in seen
        if o.failure is not None and o.failure.kind is FailureKind.NO_VANTAGE_POINT
    }
    return tuple(
        VantagePoint(name=name, probes=count, lacking=lacking.get(name, ""))
        for name, count in sorted(counted.items())
    )


def contacts(sources: Sources) -> tuple[Contact, ...]:
    """Return the owners of the failures that are judged, and how to reach them."""
    judged = [sources.catalogue[each.failure] for each in sources.judgements]
    owners = dict.fromkeys(failure.owner for failure in judged)
    return tuple(
        Contact(
            owner=owner,
            failures=tuple(f.id for f in judged if f.owner == owner),
            how=sources.environment.contacts.get(owner, ""),
        )
        for owner in owners
    )


def asked(sources: Sources) -> tuple[Asked, ...]:
    """Return what the documented hand-off asks for, and what of it this run has observed."""
    wanted = {item.id: item for failure in sources.catalogue.values() for item in failure.asked_for}
    return tuple(Asked(text=item.text, here=_here(sources, id)) for id, item in wanted.items())


def _here(sources: Sources, id: str) -> str:
    names = OBSERVED_IN.get(id, ())
    found = [name for name in names if sources.section(name) is not None]
    return "observations.jsonl: AWS " + ", ".join(found) if found else ""


def _service(found: view.Json, container: str, definitions: AwsObservation | None) -> Deployed:
    arn = found.get("taskDefinition", "")
    definition = view.definition(definitions, arn) if definitions else {}
    primary: view.Json = next(
        (d for d in found.get("deployments", []) if d["status"] == "PRIMARY"), {}
    )
    return Deployed(
        service=found["serviceName"],
        revision=view.revision(arn),
        image=view.container(definition, container).get("image", "not observed"),
        tasks=f"{found.get('runningCount', 0)} of {found.get('desiredCount', 0)} running",
        rollout=str(primary.get("rolloutState", "not told")).lower(),
        since=_time(primary.get("createdAt")),
    )


def _time(stamp: object) -> str:
    if not isinstance(stamp, int | float):
        return "not told"
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(stamp))
