"""Diagnosis: which failed cause explains what else failed. Pure functions over check results.

The dependency graph of the platform is data (``causes/platform.yaml``): what each cause may be
explained by, and which documented failures it explains. What could not be judged is never read as
healthy: it is named as unknown where it could explain something that failed.
"""

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from pathlib import Path

import msgspec

from harness import settings_file
from harness.errors import UsageError
from harness.finding import Finding
from harness.verdicts import CheckResult, Judgement, Status, Verdict

WRONG = (Verdict.REPRODUCED, Verdict.CHANGED)


class Node(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One cause: the causes upstream of it, and the documented failures that it explains."""

    explained_by: tuple[str, ...] = ()
    explains: tuple[str, ...] = ()


class Graph(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The platform's dependency graph, by cause check id."""

    causes: dict[str, Node]

    def upstream(self, cause: str, holding: Container[str] = ()) -> set[str]:
        """Return every cause that could explain ``cause``, near or far.

        A link that holds cuts the chain: what lies behind it explains nothing on this side.
        """
        found: set[str] = set()
        waiting = list(self.causes[cause].explained_by)
        while waiting:
            current = waiting.pop()
            if current not in found and current not in holding:
                found.add(current)
                waiting += self.causes[current].explained_by
        return found


class RootCause(msgspec.Struct, frozen=True, kw_only=True):
    """A failed cause check that nothing else that failed explains.

    ``same`` are other failed cause checks that the very same change mends: one cause, not several.
    """

    check: str
    finding: Finding
    explains: tuple[str, ...]
    consequences: tuple[str, ...]
    probes: tuple[str, ...]
    prove: str
    same: tuple[str, ...] = ()


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """Why things are as they are: root causes, what has none, and what is not known."""

    root_causes: tuple[RootCause, ...] = ()
    unexplained: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def load(path: Path) -> Graph:
    """Return the graph in ``path``. Raises UsageError if it names causes that it does not have."""
    graph = settings_file.convert(settings_file.read_mapping(path), Graph, path)
    for cause, node in graph.causes.items():
        for other in node.explained_by:
            if other not in graph.causes:
                raise UsageError(f"{path}: causes.{cause}.explained_by: no cause '{other}'")
        if cause in graph.upstream(cause):
            raise UsageError(f"{path}: causes.{cause}: explains itself, by way of its own causes")
    return graph


def diagnose(
    graph: Graph,
    results: Iterable[CheckResult],
    judgements: Iterable[Judgement],
    environment: str,
) -> Diagnosis:
    """Return the root causes of what failed, most telling first."""
    causes = {result.id: result for result in results if result.role == "cause"}
    failed = {id for id, result in causes.items() if result.status is Status.FAILED}
    unknown = {
        id for id, result in causes.items() if result.status in (Status.BLOCKED, Status.BROKEN)
    }
    judged = {j.failure: j for j in judgements if j.verdict in WRONG}
    wrong = set(judged)
    holding = {id for id, result in causes.items() if result.status is Status.PASSED}
    behind = {id: _upstream(graph, id, holding) & failed for id in failed}
    roots = [id for id in sorted(failed) if not behind[id]]
    bare = [_root_cause(graph, id, causes, behind, wrong) for id in roots]
    found = [_with_proof(cause, bare, judged, environment) for cause in bare]
    found.sort(key=lambda cause: (-len(cause.explains), causes[cause.check].severity, cause.check))
    found = _merged(found)
    explained = {failure for cause in found for failure in cause.explains}
    return Diagnosis(
        root_causes=tuple(found),
        unexplained=tuple(sorted(wrong - explained)),
        unknown=tuple(sorted(id for id in unknown if _could_explain(graph, id, wrong, failed))),
    )


def _merged(causes: Iterable[RootCause]) -> list[RootCause]:
    """Take together what one change mends; the first of each, which explains most, speaks."""
    by_change: dict[tuple[str, ...], RootCause] = {}
    for cause in causes:
        change = cause.finding.mend or (cause.check,)
        first = by_change.get(change)
        by_change[change] = cause if first is None else _with(first, cause)
    return list(by_change.values())


def _with(first: RootCause, other: RootCause) -> RootCause:
    def both(one: Iterable[str], two: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted({*one, *two}))

    return msgspec.structs.replace(
        first,
        explains=both(first.explains, other.explains),
        consequences=both(first.consequences, other.consequences),
        probes=both(first.probes, other.probes),
        same=(*first.same, other.check),
    )


def _root_cause(
    graph: Graph,
    id: str,
    causes: Mapping[str, CheckResult],
    behind: Mapping[str, set[str]],
    wrong: set[str],
) -> RootCause:
    consequences = {other for other, explaining in behind.items() if id in explaining}
    explains = {f for each in {id, *consequences} for f in _explains(graph, each)} & wrong
    return RootCause(
        check=id,
        finding=causes[id].finding or _bare(causes[id]),
        explains=tuple(sorted(explains)),
        consequences=tuple(sorted(consequences)),
        probes=causes[id].probes,
        prove="",
    )


def _with_proof(
    cause: RootCause,
    all_causes: Iterable[RootCause],
    judged: Mapping[str, Judgement],
    environment: str,
) -> RootCause:
    """Add the command that proves a fix: by the failure that the fewest other causes share."""
    shared = Counter(failure for each in all_causes for failure in each.explains)
    best = min(
        cause.explains, key=lambda f: (shared[f], judged[f].severity, judged[f].number), default=""
    )
    prove = f"make validate FAILURE={best}" if best else "make test"
    return msgspec.structs.replace(cause, prove=f"{prove} ENV={environment}")


def _bare(result: CheckResult) -> Finding:
    return Finding(
        what=result.title or result.id, resource="", expected="", observed=result.message
    )


def _upstream(graph: Graph, id: str, holding: Container[str]) -> set[str]:
    return graph.upstream(id, holding) if id in graph.causes else set()


def _explains(graph: Graph, id: str) -> tuple[str, ...]:
    return graph.causes[id].explains if id in graph.causes else ()


def _could_explain(graph: Graph, id: str, wrong: set[str], failed: set[str]) -> bool:
    downstream = {other for other in graph.causes if id in graph.upstream(other)}
    reach = {failure for each in {id, *downstream} for failure in _explains(graph, each)}
    return bool(reach & wrong) or bool(downstream & failed)
