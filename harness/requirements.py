"""What a probe needs to be asked at all, apart from the environment's being there."""

from __future__ import annotations

from harness.environment import Credentials, Environment
from harness.specs import AwsProbe, ContractProbe, HttpProbe, Probe


def check(probe: Probe, environment: Environment, credentials: Credentials) -> None:
    """Raise MissingCredential or MissingSetting, naming the remedy, if ``probe`` lacks one."""
    if isinstance(probe, HttpProbe) and probe.api_key:
        credentials.need_api_key()
    if isinstance(probe, AwsProbe):
        environment.need("aws.region")
    if isinstance(probe, ContractProbe):
        environment.need(probe.setting)
