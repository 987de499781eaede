"""Whether there are AWS credentials at all: found out before anything is sent to AWS."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from typing import Any

from harness.errors import MissingCredential

KEY, SECRET = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
METADATA_DISABLED = "AWS_EC2_METADATA_DISABLED"
REMEDY = (
    f"give them as for the aws CLI: AWS_PROFILE, or {KEY} and {SECRET} (and AWS_SESSION_TOKEN); "
    f"the role of an EC2 instance: {METADATA_DISABLED}=false"
)


def need(variables: Mapping[str, str] = os.environ) -> None:
    """Raise MissingCredential if botocore would find no credentials. Asks no AWS service."""
    given = {name: variables.get(name, "") for name in (KEY, SECRET)}
    if all(given.values()):
        return
    if any(given.values()):
        (lacking,) = [name for name, value in given.items() if not value]
        raise MissingCredential(lacking, f"{' and '.join(given)} go together")
    if lack := _lack(variables.get("AWS_PROFILE", "")):
        raise MissingCredential(*lack)


def session(region: str, guard: Callable[..., None] | None = None) -> Any:
    """Return a boto3 session that does not ask the instance metadata address unless told to.

    Elsewhere than on EC2 nobody answers there, and each attempt takes its time. ``guard`` is called
    before anything of a call is made, signed or sent; what it raises ends the call.
    """
    import boto3
    import botocore.session

    from harness.aws.models import Models

    core = botocore.session.get_session()
    core.get_component("data_loader").file_loader = Models()
    if guard is not None:
        core.register("before-parameter-build", guard)
    if os.environ.get(METADATA_DISABLED, "true").lower() != "false":
        core.get_component("credential_provider").remove("iam-role")
    return boto3.Session(botocore_session=core, region_name=region)


@functools.cache
def _lack(profile: str) -> tuple[str, str] | None:
    from botocore import exceptions as aws

    try:
        found = session("us-east-1").get_credentials()
    except aws.ProfileNotFound:
        return f"the AWS profile '{profile}'", "correct AWS_PROFILE, or `aws configure` it"
    except aws.BotoCoreError as error:
        return "a usable set of AWS credentials", f"{error}; {REMEDY}"
    return None if found else ("a set of AWS credentials", REMEDY)
