from __future__ import annotations

from pathlib import Path

import pytest

from harness import environment, requirements
from harness.errors import MissingSetting, UsageError
from harness.specs import ContractProbe

ROOT = Path(__file__).parents[3]
MINIMAL = "description: x\nregistry: {url: https://registry.example}\n"


def load(tmp_path: Path, text: str, **variables: str) -> environment.Environment:
    (tmp_path / "stage.yaml").write_text(text)
    return environment.load("stage", tmp_path, variables)


@pytest.mark.parametrize("name", ["dev", "local", "prod"])
def test_the_environments_of_this_repository_are_valid(name: str) -> None:
    assert environment.load(name, ROOT / "environments", {}).name == name


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"unknown environment 'prd'.*dev, local, prod"):
        environment.load("prd", ROOT / "environments", {})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("description: [x\n", r"stage\.yaml:2:1: is not valid YAML"),
        ("- a list\n", "must hold a mapping"),
        (MINIMAL + "registy: {}\n", r"stage\.yaml: Object contains unknown field `registy`"),
        (
            MINIMAL + "limits: {deadline: soon}\n",
            r"Expected `float`, got `str` - at `limits\.deadline`",
        ),
        (MINIMAL + "limits: {deadline: -1}\n", r"`limits\.deadline`"),
        ("description: x\nregistry: {url: registry.example}\n", r"`registry\.url`"),
        ("description: x\n", "missing required field `registry`"),
    ],
)
def test_a_bad_file_is_told_with_file_and_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        load(tmp_path, text)


def test_every_value_can_be_overridden_by_a_variable(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        MINIMAL,
        HOKUSAI_REGISTRY_URL="http://127.0.0.1:8001",
        HOKUSAI_LIMITS_DEADLINE="2.5",
        HOKUSAI_NETWORK_CONNECT_TO="a:443:127.0.0.1:8443, b:80:127.0.0.1:8080",
    )
    assert loaded.registry.url == "http://127.0.0.1:8001"
    assert loaded.limits.deadline == 2.5
    assert loaded.network.connect_to == ("a:443:127.0.0.1:8443", "b:80:127.0.0.1:8080")


def test_a_bad_variable_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="HOKUSAI_LIMITS_DEADLINE: Expected `float`"):
        load(tmp_path, MINIMAL, HOKUSAI_LIMITS_DEADLINE="soon")


def test_a_variable_cannot_allow_writes() -> None:
    with pytest.raises(UsageError, match=r"HOKUSAI_POLICY_WRITES: .*--allow-writes does"):
        environment.load("prod", ROOT / "environments", {"HOKUSAI_POLICY_WRITES": "true"})
    variables = {"HOKUSAI_POLICY_WRITES": "false"}
    assert not environment.load("local", ROOT / "environments", variables).policy.writes


def test_a_setting_that_is_not_known_is_required_not_guessed(tmp_path: Path) -> None:
    with pytest.raises(MissingSetting, match=r"mlflow\.url is not set.*HOKUSAI_MLFLOW_URL"):
        load(tmp_path, MINIMAL).need("mlflow.url")


def test_credentials_do_not_print_themselves() -> None:
    given = environment.credentials({"HOKUSAI_API_KEY": "k" * 20})
    assert given.need_api_key() == "k" * 20
    assert "kkk" not in repr(given)


def test_a_key_with_a_line_break_is_refused_without_telling_it() -> None:
    with pytest.raises(UsageError, match="HOKUSAI_API_KEY") as told:
        environment.credentials({"HOKUSAI_API_KEY": "abcdefgh\n"})
    assert "abcdefgh" not in str(told.value)


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("HOKUSAI_REGISTRY_URL", "registry", "like https://host or http://host:port"),
        ("HOKUSAI_NETWORK_RESOLVER", "1.2.3.4", "like host:port"),
        ("HOKUSAI_NETWORK_CONNECT_TO", "a:1", "like host:port:address:port"),
        ("HOKUSAI_CIRCUIT_BREAKER_TARGET", "Class", "like module:Class"),
    ],
)
def test_what_a_value_looks_like_is_told_by_an_example(
    tmp_path: Path, variable: str, value: str, told: str
) -> None:
    with pytest.raises(UsageError) as refused:
        load(tmp_path, MINIMAL, **{variable: value})
    assert variable in str(refused.value)
    assert told in str(refused.value)
    assert "regex" not in str(refused.value)


def test_a_variable_that_is_nearly_a_setting_is_told_with_what_may_be_meant() -> None:
    given = {
        "HOKUSAI_REGISTRY_URI": "x",
        "HOKUSAI_REGISTRY_URL": "x",
        "HOKUSAI_API_KEY": "x",
        "HOKUSAI_CLIENT_CACHE": "x",
        "HOME": "x",
    }
    assert environment.unknown_variables(given) == {
        "HOKUSAI_CLIENT_CACHE": [],
        "HOKUSAI_REGISTRY_URI": ["HOKUSAI_REGISTRY_URL"],
    }


def test_a_folder_that_is_not_there_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    loaded = load(tmp_path, MINIMAL, HOKUSAI_CIRCUIT_BREAKER_SOURCE=str(tmp_path / "none"))
    probe = ContractProbe(
        contract="circuit_breaker", setting="circuit_breaker.source", target="module:Class"
    )
    with pytest.raises(MissingSetting, match=r"HOKUSAI_CIRCUIT_BREAKER_SOURCE.*no such folder"):
        requirements.check(probe, loaded, environment.Credentials())


@pytest.mark.parametrize("key", ["a b", " a", "schlüssel", "a\tb"])
def test_what_cannot_be_a_key_is_refused_without_telling_it(key: str) -> None:
    with pytest.raises(UsageError) as refused:
        environment.credentials({"HOKUSAI_API_KEY": key})
    assert key not in str(refused.value)
