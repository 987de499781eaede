"""AWS credentials: what a person is told when there are none, or half of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import requirements
from harness.aws import credentials
from harness.environment import Aws, Credentials, Environment, Registry, Service
from harness.errors import MissingCredential
from harness.specs import AwsProbe, DnsProbe, TcpProbe

MINE = ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
API = Service(service="s", container="c", port=1, target_group="t", health=("/", "200"))
CLOUD = Aws(region="us-east-1", cluster="c", services={"api": API}, secret="s", secret_key="k")


@pytest.fixture(autouse=True)
def no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*MINE, credentials.METADATA_DISABLED, "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    credentials._lack.cache_clear()


def stage(aws: Aws | None = CLOUD) -> Environment:
    return Environment(
        name="stage",
        description="x",
        registry=Registry(url="https://registry.example"),
        aws=aws,
    )


def test_without_any_the_ways_to_give_them_are_told() -> None:
    with pytest.raises(MissingCredential, match=r"AWS_PROFILE.*AWS_ACCESS_KEY_ID"):
        credentials.need()


def test_half_a_pair_names_the_other_half() -> None:
    with pytest.raises(MissingCredential, match=r"^AWS_SECRET_ACCESS_KEY is missing"):
        credentials.need({"AWS_ACCESS_KEY_ID": "AKIA"})


def test_a_profile_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobodys")
    with pytest.raises(MissingCredential, match="profile 'nobodys'"):
        credentials.need()


def test_a_profile_with_keys_is_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "AWS_SHARED_CREDENTIALS_FILE").write_text(
        "[mine]\naws_access_key_id = a\naws_secret_access_key = b\n"
    )
    monkeypatch.setenv("AWS_PROFILE", "mine")
    credentials.need()


def test_a_pair_of_variables_is_enough() -> None:
    credentials.need({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"})


@pytest.mark.parametrize(("said", "asked"), [(None, False), ("true", False), ("false", True)])
def test_the_metadata_address_is_asked_only_if_told_to(
    monkeypatch: pytest.MonkeyPatch, said: str | None, asked: bool
) -> None:
    if said is not None:
        monkeypatch.setenv(credentials.METADATA_DISABLED, said)
    providers = credentials.session("us-east-1")._session.get_component("credential_provider")
    assert ("iam-role" in [each.METHOD for each in providers.providers]) is asked


@pytest.mark.parametrize(
    "probe",
    [AwsProbe(section="services"), TcpProbe(vantage="task:api", host="h", port="1")],
)
def test_probes_of_aws_and_in_tasks_need_them(probe: AwsProbe | TcpProbe) -> None:
    with pytest.raises(MissingCredential, match="AWS credentials"):
        requirements.check(probe, stage(), Credentials())


def test_probes_that_do_not_go_through_aws_need_none() -> None:
    inside = TcpProbe(vantage="task:api", host="h", port="1")
    requirements.check(DnsProbe(name="registry.example"), stage(), Credentials())
    requirements.check(inside, stage(aws=None), Credentials())
