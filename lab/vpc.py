"""What the network lets through: routes, network ACLs and security groups, as they are now."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

from lab.addresses import Network
from lab.aws.backends import Backends

INTERNET = "internet"
# A documentation address (RFC 5737) for whoever comes from outside: only wide ranges hold it.
_SOMEWHERE = "203.0.113.10"
_EPHEMERAL = 50_000


class Vpc:
    """Decides on single TCP connections, from moto's objects, without any cache."""

    def __init__(self, backends: Backends, network: Network) -> None:
        """`network` tells the lab's own parts (DNS, AWS endpoint) from what is in the VPC."""
        self._backends, self._network = backends, network
        self._own_parts = ipaddress.ip_network(network.subnet(0))

    def allows(self, source: str, address: str, port: int) -> bool:
        """Whether a connection from `source` (an address, or INTERNET) is let through.

        False means that its packets are dropped. True says nothing about who listens there.
        """
        if source == address or self._is_own_part(address):
            return True
        with self._backends.lock:
            callee = self._interface(address)
            if callee is None:
                return False
            caller = self._interface(source)
            if caller is None:
                return self._from_outside(callee, port)
            if self._is_public(callee):
                return self._around(caller, callee, port)
            return self._inside(caller, callee, port)

    def admitted(self, groups: Iterable[str], port: int) -> tuple[str, ...]:
        """The source ranges that security groups admit to a port; members of a group as /32."""
        with self._backends.lock:
            ranges: list[str] = []
            for rule in _rules(self._groups(groups), port, egress=False):
                ranges += [rule.ip_range["CidrIp"]] if rule.ip_range.get("CidrIp") else []
                ranges += [f"{each}/32" for each in self._members(rule.source_group)]
            return tuple(dict.fromkeys(ranges))

    def resolves_names(self) -> bool:
        """Whether the VPC's resolver answers (the attribute enableDnsSupport)."""
        with self._backends.lock:
            for vpc in self._backends.ec2.vpcs.values():
                if vpc.cidr_block == self._network.cidr:
                    return str(vpc.enable_dns_support).lower() == "true"
        return True

    def _inside(self, caller: Any, callee: Any, port: int) -> bool:
        return (
            _groups_allow(caller, callee.private_ip_address, _ids(callee), port, egress=True)
            and _groups_allow(callee, caller.private_ip_address, _ids(caller), port, egress=False)
            and self._acls_allow(caller, callee, port)
        )

    def _from_outside(self, callee: Any, port: int) -> bool:
        subnet = callee.subnet.id
        return (
            self._is_public(callee)
            and self._has_default_route(subnet)
            and _groups_allow(callee, _SOMEWHERE, set(), port, egress=False)
            and self._acl_allows(subnet, _SOMEWHERE, port, egress=False)
            and self._acl_allows(subnet, _SOMEWHERE, _EPHEMERAL, egress=True)
        )

    def _around(self, caller: Any, callee: Any, port: int) -> bool:
        """From a task to a public load balancer: out by the NAT gateway and in from outside."""
        subnet = caller.subnet.id
        return (
            self._has_default_route(subnet)
            and _groups_allow(caller, _SOMEWHERE, set(), port, egress=True)
            and self._acl_allows(subnet, _SOMEWHERE, port, egress=True)
            and self._acl_allows(subnet, _SOMEWHERE, _EPHEMERAL, egress=False)
            and self._from_outside(callee, port)
        )

    def _acls_allow(self, caller: Any, callee: Any, port: int) -> bool:
        one, other = caller.subnet.id, callee.subnet.id
        there, back = callee.private_ip_address, caller.private_ip_address
        return one == other or (
            self._acl_allows(one, there, port, egress=True)
            and self._acl_allows(other, back, port, egress=False)
            and self._acl_allows(other, back, _EPHEMERAL, egress=True)
            and self._acl_allows(one, there, _EPHEMERAL, egress=False)
        )

    def _acl_allows(self, subnet: str, address: str, port: int, *, egress: bool) -> bool:
        entries = [each for each in self._acl_entries(subnet) if _is_egress(each) == egress]
        for entry in sorted(entries, key=lambda each: int(each.rule_number)):
            if _acl_entry_matches(entry, address, port):
                return str(entry.rule_action) == "allow"
        return False

    def _acl_entries(self, subnet: str) -> list[Any]:
        for acl in self._backends.ec2.network_acls.values():
            if any(each.subnet_id == subnet for each in acl.associations):
                return list(acl.network_acl_entries)
        return []

    def _has_default_route(self, subnet: str) -> bool:
        table = self._route_table(subnet)
        return table is not None and any(
            each.destination_cidr_block == "0.0.0.0/0" and (each.gateway or each.nat_gateway)
            for each in table.routes
        )

    def _route_table(self, subnet: str) -> Any:
        for table in self._backends.ec2.route_tables.values():
            if any(each.get("SubnetId") == subnet for each in table.associations):
                return table
        return None

    def _interface(self, address: str) -> Any:
        for each in self._backends.ec2.enis.values():
            if each.private_ip_address == address:
                return each
        return None

    def _is_public(self, interface: Any) -> bool:
        """Whether it is one of an internet-facing load balancer."""
        for each in self._backends.elbv2.load_balancers.values():
            if interface.description == f"ELB {each.arn.partition(':loadbalancer/')[2]}":
                return str(each.scheme) == "internet-facing"
        return False

    def _is_own_part(self, address: str) -> bool:
        return ipaddress.ip_address(address) in self._own_parts

    def _groups(self, identifiers: Iterable[str]) -> list[Any]:
        found = map(self._backends.ec2.get_security_group_from_id, identifiers)
        return [group for group in found if group]

    def _members(self, source_group: dict[str, str]) -> list[str]:
        wanted = source_group.get("GroupId")
        interfaces = self._backends.ec2.enis.values() if wanted else ()
        return [each.private_ip_address for each in interfaces if wanted in _ids(each)]


def _ids(interface: Any) -> set[str]:
    return {group.id for group in interface.group_set}


def _groups_allow(
    interface: Any, address: str, groups: set[str], port: int, *, egress: bool
) -> bool:
    return any(
        rule.source_group.get("GroupId") in groups
        or _in_range(address, rule.ip_range.get("CidrIp"))
        for rule in _rules(interface.group_set, port, egress=egress)
    )


def _rules(groups: Iterable[Any], port: int, *, egress: bool) -> list[Any]:
    rules = [
        rule for each in groups for rule in (each.egress_rules if egress else each.ingress_rules)
    ]
    return [rule for rule in rules if _covers(rule.ip_protocol, rule.from_port, rule.to_port, port)]


def _covers(protocol: str | None, first: Any, last: Any, port: int) -> bool:
    if protocol == "-1":
        return True
    return protocol in ("tcp", "6") and int(first) <= port <= int(last)


def _is_egress(entry: Any) -> bool:
    return str(entry.egress).lower() == "true"


def _acl_entry_matches(entry: Any, address: str, port: int) -> bool:
    if not _in_range(address, entry.cidr_block):
        return False
    first, last = entry.port_range_from, entry.port_range_to
    if str(entry.protocol) == "6" and not first:
        return True
    return _covers(str(entry.protocol), first or 0, last or 65535, port)


def _in_range(address: str, cidr: str | None) -> bool:
    return cidr is not None and ipaddress.ip_address(address) in ipaddress.ip_network(cidr)
