"""Security-group paths are pure: they are tested on groups as EC2 describes them."""

from __future__ import annotations

from typing import Any

import pytest

from harness.aws.paths import Hop, finding

EVERYTHING = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
HOP = Hop("api", ("sg-api",), "mlflow", ("sg-mlflow",), 5000, "10.0.1.5", "10.0.2.6")


def rule(protocol: str = "tcp", first: int = 5000, last: int = 5000, **peer: str) -> dict[str, Any]:
    ranges = [{"CidrIp": peer["cidr"]}] if "cidr" in peer else []
    pairs = [{"GroupId": peer["group"]}] if "group" in peer else []
    return {
        "IpProtocol": protocol,
        "FromPort": first,
        "ToPort": last,
        "IpRanges": ranges,
        "UserIdGroupPairs": pairs,
    }


def groups(ingress: list[Any], egress: list[Any] | None = None) -> dict[str, Any]:
    out = EVERYTHING if egress is None else egress
    return {
        "sg-api": {"GroupId": "sg-api", "IpPermissions": [], "IpPermissionsEgress": out},
        "sg-mlflow": {"GroupId": "sg-mlflow", "IpPermissions": ingress, "IpPermissionsEgress": []},
    }


@pytest.mark.parametrize(
    "admitting",
    [
        rule(group="sg-api"),
        rule(cidr="10.0.0.0/16"),
        rule(first=1024, last=65535, group="sg-api"),
        rule("6", cidr="10.0.1.5/32"),
        *EVERYTHING,
    ],
)
def test_a_rule_that_fits_lets_the_caller_in(admitting: dict[str, Any]) -> None:
    assert finding(HOP, groups([admitting])) is None


@pytest.mark.parametrize(
    "other",
    [
        rule(group="sg-other"),
        rule(cidr="10.9.0.0/16"),
        rule(first=5001, last=6000, group="sg-api"),
        rule("udp", group="sg-api"),
    ],
)
def test_without_one_the_finding_says_which_and_how_to_add_it(other: dict[str, Any]) -> None:
    found = finding(HOP, groups([other]))
    assert found is not None
    assert "lets api in to mlflow on port 5000" in found.what
    assert found.mend == (
        "aws ec2 authorize-security-group-ingress --group-id sg-mlflow --protocol tcp --port 5000 "
        "--source-group sg-api",
    )


def test_a_caller_that_nothing_lets_out_is_found_too() -> None:
    found = finding(HOP, groups([rule(group="sg-api")], egress=[]))
    assert found is not None
    assert "lets api out to mlflow" in found.what
    assert "authorize-security-group-egress --group-id sg-api" in found.mend[0]


def test_egress_to_the_callees_group_is_enough() -> None:
    assert finding(HOP, groups([rule(group="sg-api")], egress=[rule(group="sg-mlflow")])) is None


def test_an_address_that_is_not_known_raises_no_false_alarm() -> None:
    hop = HOP._replace(caller_address=None)
    assert finding(hop, groups([rule(cidr="10.0.1.0/24")])) is None
