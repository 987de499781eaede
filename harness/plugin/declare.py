"""What checks are written with: ``probe`` says what is observed, ``symptom`` what it is about."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

import pytest

from harness.environment import Environment
from harness.observation import Observation
from harness.plugin import progress
from harness.plugin.run import RUN, Blocked
from harness.specs import Probe

PROBES = pytest.StashKey[list[Probe]]()
Check = TypeVar("Check", bound=Callable[..., None])
Declared = Callable[..., Probe | Mapping[str, Probe]]


def probe(declared: Declared, *, must_answer: bool = False) -> Any:
    """Make a fixture of a function from the environment to a probe (or a mapping of probes).

    A check that asks for the fixture gets the observation (or the mapping of observations). The
    function's first parameter is the environment, the others are parameters of the check. The
    plugin reads the declaration at collection, and starts the probe before the first check runs.
    With ``must_answer``, checks that use it are blocked when there is no answer to judge.
    """

    def observe(
        request: pytest.FixtureRequest, **parameters: Any
    ) -> Observation | dict[str, Observation]:
        config = request.config
        asked = declared(config.stash[RUN].environment, **parameters)
        if isinstance(asked, Mapping):
            return {k: _observation(config, each, must_answer) for k, each in asked.items()}
        return _observation(config, asked, must_answer)

    observe.__declared__ = declared  # type: ignore[attr-defined]
    # pytest reads the names of what a fixture needs there.
    names = ["request", *_parameters(declared)]
    observe.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names]
    )
    observe.__doc__ = declared.__doc__
    # An observation is the same for every check of the run; parameters are each check's own.
    scope: Literal["function", "session"] = "function" if _parameters(declared) else "session"
    return pytest.fixture(name=declared.__name__, scope=scope)(observe)


def symptom(failure: str, *signatures: str) -> pytest.MarkDecorator:
    """Tie a check to a documented failure, and to those of its signatures that it can show."""
    return pytest.mark.symptom(failure, *signatures)


def cause(check: Check) -> Check:
    """Make a check one link of the platform's dependency graph (``causes/platform.yaml``)."""
    marked: Check = pytest.mark.cause(check)
    return marked


def declared_probes(item: pytest.Item, environment: Environment) -> list[Probe]:
    """Return the probes that ``item`` needs; worked out once. Raises MissingSetting."""
    if PROBES not in item.stash:
        item.stash[PROBES] = _declared_probes(item, environment)
    return item.stash[PROBES]


def _declared_probes(item: pytest.Item, environment: Environment) -> list[Probe]:
    definitions = getattr(item, "_fixtureinfo").name2fixturedefs  # noqa: B009
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    found: list[Probe] = []
    for name in item.fixturenames if isinstance(item, pytest.Function) else ():
        declared = _declared(definitions.get(name))
        if declared is not None:
            mine = {key: parameters[key] for key in _parameters(declared)}
            asked = declared(environment, **mine)
            found += asked.values() if isinstance(asked, Mapping) else [asked]
    return found


def _declared(definitions: Sequence[Any] | None) -> Declared | None:
    return getattr(definitions[-1].func, "__declared__", None) if definitions else None


def _parameters(declared: Declared) -> list[str]:
    return list(inspect.signature(declared).parameters)[1:]


def _observation(config: pytest.Config, asked: Probe, must_answer: bool) -> Observation:
    seen = progress.observation(config, config.stash[RUN], asked)
    if seen.failure is not None and (must_answer or seen.failure.unjudgeable):
        raise Blocked(str(seen.failure.message), seen.failure.remedy, seen.failure.kind)
    return seen
