"""What a probe needs to be asked at all, apart from the environment's being there."""

from __future__ import annotations

from pathlib import Path

from harness.aws import credentials as aws_credentials
from harness.environment import Credentials, Environment, variable_for
from harness.errors import UnusableSetting
from harness.specs import RUNNER, AwsProbe, ContractProbe, HttpProbe, JourneyProbe, Probe


def check(probe: Probe, environment: Environment, credentials: Credentials) -> None:
    """Raise MissingCredential or MissingSetting, naming the remedy, if ``probe`` lacks one."""
    if isinstance(probe, JourneyProbe) or (isinstance(probe, HttpProbe) and probe.api_key):
        credentials.need_api_key()
    if isinstance(probe, AwsProbe):
        environment.need("aws.region")
    if isinstance(probe, AwsProbe) or (probe.vantage != RUNNER and environment.aws is not None):
        aws_credentials.need()
    if isinstance(probe, ContractProbe):
        _need_folder(environment, probe.setting)


def _need_folder(environment: Environment, path: str) -> None:
    folder = environment.need(path)
    if not Path(folder).is_dir():
        raise UnusableSetting(path, variable_for(path), folder, "there is no such folder")
