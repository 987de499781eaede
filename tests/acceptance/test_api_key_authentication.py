"""API keys, in every form that the platform documents."""

from __future__ import annotations

import pytest

from harness import expect
from harness.environment import Environment
from harness.observation import HttpObservation
from harness.plugin.declare import probe, symptom
from harness.signatures import evidence
from harness.specs import KEY_FORMS, HttpProbe, KeyForm
from tests.acceptance.conftest import with_key

FAILURE = "api-key-authentication"
PROTECTED = "/api/health"
NO_SUCH_KEY = "not-a-key-of-this-platform"


@probe
def answer_to_a_valid_key(environment: Environment, form: KeyForm) -> HttpProbe:
    """A protected path with a valid key in one form."""
    return with_key(environment, PROTECTED, form)


@probe
def answer_without_a_key(environment: Environment) -> HttpProbe:
    """A protected path without any key."""
    return HttpProbe(url=environment.registry.url + PROTECTED, deadline=environment.limits.deadline)


@probe
def answer_to_an_unknown_key(environment: Environment) -> HttpProbe:
    """A protected path with a key that nobody was ever given."""
    return HttpProbe(
        url=environment.registry.url + PROTECTED,
        headers=(("X-API-Key", NO_SUCH_KEY),),
        deadline=environment.limits.deadline,
    )


@pytest.mark.p1
@pytest.mark.parametrize("form", KEY_FORMS)
@symptom(FAILURE, "key-demanded-despite-key")
def test_a_valid_key_is_accepted(answer_to_a_valid_key: HttpObservation, form: KeyForm) -> None:
    """A valid key opens the API, in each form that integrations use."""
    seen = f"a valid key as {form} was refused: {evidence(answer_to_a_valid_key)}"
    assert expect.answered(answer_to_a_valid_key).status not in (401, 403), seen
    expect.not_status(answer_to_a_valid_key, 429, 500, 502, 503, 504)


@pytest.mark.p1
@symptom(FAILURE)
def test_a_request_without_a_key_is_refused(answer_without_a_key: HttpObservation) -> None:
    """Without a key, a protected path asks for one."""
    refused = expect.json_body(expect.status(answer_without_a_key, 401))
    assert refused.get("detail") == "API key required", evidence(answer_without_a_key)


@pytest.mark.p1
@symptom(FAILURE)
def test_an_unknown_key_is_refused(answer_to_an_unknown_key: HttpObservation) -> None:
    """A key that nobody was given opens nothing."""
    expect.status(answer_to_an_unknown_key, 401)
