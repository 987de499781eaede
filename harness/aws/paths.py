"""Security-group paths: may a caller open a TCP connection to a callee? Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from harness.aws.view import Json, admits
from harness.finding import Finding, aws

# An address of the internet, from the range that is kept for documentation.
SOMEWHERE = "198.51.100.1"


class Hop(NamedTuple):
    """One connection that the platform needs: who calls whom, on which TCP port.

    ``caller_groups`` is empty for a caller outside (the internet); an address that is not known
    is None.
    """

    caller: str
    caller_groups: tuple[str, ...]
    callee: str
    callee_groups: tuple[str, ...]
    port: int
    caller_address: str | None = None
    callee_address: str | None = None


def finding(hop: Hop, groups: Mapping[str, Json]) -> Finding | None:
    """Return what keeps the hop from being made, or None. Ingress is looked at first."""
    callee = [groups[each] for each in hop.callee_groups if each in groups]
    caller = [groups[each] for each in hop.caller_groups if each in groups]
    if not admits(callee, "IpPermissions", hop.port, hop.caller_groups, hop.caller_address):
        return _ingress(hop)
    if caller and not admits(
        caller, "IpPermissionsEgress", hop.port, hop.callee_groups, hop.callee_address
    ):
        return _egress(hop)
    return None


def _ingress(hop: Hop) -> Finding:
    group = hop.callee_groups[0] if hop.callee_groups else "no group"
    source = {"source_group": hop.caller_groups[0]} if hop.caller_groups else {"cidr": "0.0.0.0/0"}
    return Finding(
        what=f"no security group rule lets {hop.caller} in to {hop.callee} on port {hop.port}",
        resource=f"security group {group} of {hop.callee}",
        expected=f"ingress of tcp {hop.port} from {next(iter(source.values()))}",
        observed="no such rule",
        mend=(
            aws(
                "ec2",
                "authorize-security-group-ingress",
                group_id=group,
                protocol="tcp",
                port=hop.port,
                **source,
            ),
        ),
    )


def _egress(hop: Hop) -> Finding:
    group = hop.caller_groups[0]
    permission = "IpProtocol=-1,IpRanges=[{CidrIp=0.0.0.0/0}]"
    return Finding(
        what=f"no security group rule lets {hop.caller} out to {hop.callee} on port {hop.port}",
        resource=f"security group {group} of {hop.caller}",
        expected=f"egress of tcp {hop.port}",
        observed="no such rule",
        mend=(
            aws(
                "ec2",
                "authorize-security-group-egress",
                group_id=group,
                ip_permissions=permission,
            ),
        ),
    )
