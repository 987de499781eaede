"""The hand-off as data: what both renderings say. Immutable, and redacted before it is rendered."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from harness.environment import Severity
from harness.verdicts import Status, Verdict


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Standing(StrEnum):
    """What the checks say of a hypothesis or of a recommended fix."""

    CONFIRMED = "confirmed"
    RULED_OUT = "ruled out"
    NOT_JUDGED = "not judged"


class Evidence(_Part, frozen=True, kw_only=True):
    """One check that speaks for or against something, and what it saw."""

    check: str
    status: Status
    told: str


class Hypothesis(_Part, frozen=True, kw_only=True):
    """A possible cause that the document named, and what became of it."""

    text: str
    standing: Standing
    evidence: tuple[Evidence, ...] = ()


class Fix(_Part, frozen=True, kw_only=True):
    """A recommended fix; ``because`` says what the evidence says of it."""

    text: str
    standing: Standing
    because: str


class Command(_Part, frozen=True, kw_only=True):
    """A command line to paste, what it is for, and what was seen when the suite asked the same."""

    line: str
    about: str = ""
    seen: str = ""


class Cause(_Part, frozen=True, kw_only=True):
    """A root cause, numbered as everywhere in the document; ``failures`` are those it explains,
    ``checks`` those that one and the same change mends.
    """

    number: int
    checks: tuple[str, ...]
    what: str
    where: str
    expected: str
    observed: str
    failures: tuple[str, ...]
    consequences: tuple[str, ...]
    evidence: tuple[str, ...]
    mend: tuple[str, ...]
    prove: str


class Symptom(_Part, frozen=True, kw_only=True):
    """One symptom check that did not pass: its promise, and what was seen instead."""

    check: str
    title: str
    status: Status
    severity: Severity
    told: str
    remedy: str = ""


class Failure(_Part, frozen=True, kw_only=True):
    """One documented failure as it stands."""

    id: str
    number: int
    title: str
    component: str
    owner: str
    severity: Severity
    verdict: Verdict
    because: str
    impact: str
    causes: tuple[int, ...]
    errors: tuple[str, ...]
    symptoms: tuple[Symptom, ...]
    hypotheses: tuple[Hypothesis, ...]
    reproduction: tuple[Command, ...]
    fixes: tuple[Fix, ...]
    prove: str
    passed: int
    failed: int
    blocked: int
    not_run: int


class Metric(_Part, frozen=True, kw_only=True):
    """A row of the metrics table; rates in percent, latencies in milliseconds.

    ``samples`` counts the answers that the latencies and ``sampled_rate`` rest on.
    """

    component: str
    failure: str
    rate: int | None
    checks: str
    documented_rate: int
    sampled_rate: int | None
    samples: int
    latency: tuple[int, int, int] | None
    impact: str
    severity: Severity
    verdict: Verdict


class Action(_Part, frozen=True, kw_only=True):
    """A thing to do. ``cause`` is the number of the root cause that it mends, if it has one."""

    text: str
    owner: str
    within: str
    failures: tuple[str, ...]
    cause: int | None = None


class Suffered(_Part, frozen=True, kw_only=True):
    """One impact, and the observation that shows it."""

    text: str
    seen: str = ""


class Impact(_Part, frozen=True, kw_only=True):
    """What somebody suffers, as far as it was observed."""

    who: str
    told: tuple[Suffered, ...]


class Deployed(_Part, frozen=True, kw_only=True):
    """What runs of one service."""

    service: str
    revision: str
    image: str
    tasks: str
    rollout: str
    since: str


class VantagePoint(_Part, frozen=True, kw_only=True):
    """Where probes ran from, how many, and why some could not."""

    name: str
    probes: int
    lacking: str = ""


class Contact(_Part, frozen=True, kw_only=True):
    """Who answers for what; ``how`` is empty if the environment's file does not say."""

    owner: str
    failures: tuple[str, ...]
    how: str


class Asked(_Part, frozen=True, kw_only=True):
    """Something that the documented hand-off asks for; ``here`` says what this run holds of it."""

    text: str
    here: str


class LinkState(StrEnum):
    """How a part of the platform or a link between two of them is."""

    BROKEN = "broken"
    AFFECTED = "affected"
    UNKNOWN = "not judged"
    WORKS = "works"


class Part(_Part, frozen=True, kw_only=True):
    """A part of the platform in the picture; ``at`` is column and row."""

    id: str
    title: str
    at: tuple[int, int]
    state: LinkState
    causes: tuple[int, ...]


class Link(_Part, frozen=True, kw_only=True):
    """A link between two parts; ``why`` is its worst check's text."""

    start: str
    end: str
    says: str
    state: LinkState
    causes: tuple[int, ...]
    why: str


class Picture(_Part, frozen=True, kw_only=True):
    """The way of a request through the platform."""

    parts: tuple[Part, ...]
    links: tuple[Link, ...]


class HandOff(_Part, frozen=True, kw_only=True):
    """The whole document."""

    run: str
    environment: str
    description: str
    registry: str
    platform: str
    activity: str
    started: str
    duration_s: float
    exit_code: int
    replayed: bool
    summary: str
    deployed: tuple[Deployed, ...]
    vantage_points: tuple[VantagePoint, ...]
    contacts: tuple[Contact, ...]
    shell: tuple[str, ...]
    tools: tuple[str, ...]
    picture: Picture
    causes: tuple[Cause, ...]
    unexplained: tuple[str, ...]
    unknown: tuple[Evidence, ...]
    failures: tuple[Failure, ...]
    not_judged_at_all: tuple[str, ...]
    metrics: tuple[Metric, ...]
    samples_asked: int
    actions: dict[str, tuple[Action, ...]]
    impact: tuple[Impact, ...]
    asked: tuple[Asked, ...]
    changes: tuple[str, ...] | None
    waivers: tuple[str, ...]
    counts: dict[str, int]

    @property
    def breaks(self) -> bool:
        """Whether anything in the picture is not known to work."""
        states = {part.state for part in self.picture.parts}
        states |= {link.state for link in self.picture.links}
        return states != {LinkState.WORKS}
