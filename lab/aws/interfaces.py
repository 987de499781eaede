"""Network interfaces that AWS makes by itself: of load balancers, databases and tasks.

Moto knows the interface as an object but gives it to nothing; the lab does, and keeps the security
groups on it in step with what it belongs to.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

from lab.aws.backends import Backends

_FIRST_HOST = 10  # The first four addresses of a subnet are AWS's.


@dataclass(frozen=True, slots=True)
class Interface:
    """One network interface and its address, on which a real part of the lab listens."""

    id: str
    address: str
    mac: str
    subnet: str
    dns_name: str


class Interfaces:
    """Makes, finds and removes network interfaces; no address is used twice in a row."""

    def __init__(self, backends: Backends) -> None:
        """Interfaces live in moto; only whom they belong to is kept here."""
        self._backends = backends
        self._next: dict[str, int] = {}
        self._owners: dict[str, Interface] = {}

    def create(self, subnet: str, groups: list[str], description: str) -> Interface:
        """Make an interface with the next address of a subnet."""
        ec2 = self._backends.ec2
        with self._backends.lock:
            address = self._next_address(ec2.get_subnet(subnet))
            made = ec2.create_network_interface(
                subnet, address, group_ids=groups, description=description
            )
            made.status, made.requester_managed = "in-use", True
            name = getattr(made, "private_dns_name", "")
            return Interface(made.id, address, made.mac_address, subnet, name)

    def remove(self, interface: Interface) -> None:
        """Take an interface away: its address belongs to nobody from now on."""
        with self._backends.lock:
            self._backends.ec2.enis.pop(interface.id, None)

    def of(self, arn: str) -> Interface | None:
        """The interface of a load balancer or database instance."""
        return self._owners.get(arn)

    def follow(self) -> None:
        """Give an interface to what is new, take it from what is gone, keep the groups in step."""
        with self._backends.lock:
            wanted = {**self._balancers(), **self._databases()}
            for arn in self._owners.keys() - wanted.keys():
                self.remove(self._owners.pop(arn))
            for arn, (subnet, groups, description) in wanted.items():
                if arn not in self._owners:
                    self._owners[arn] = self.create(subnet, groups, description)
                self._set_groups(self._owners[arn], groups)

    def _balancers(self) -> dict[str, tuple[str, list[str], str]]:
        return {
            each.arn: (
                each.subnets[0].id,
                list(each.security_groups),
                f"ELB {each.arn.partition(':loadbalancer/')[2]}",
            )
            for each in self._backends.elbv2.load_balancers.values()
        }

    def _databases(self) -> dict[str, tuple[str, list[str], str]]:
        found = {}
        for each in self._backends.rds.databases.values():
            if each.db_subnet_group is not None:
                subnet = each.db_subnet_group.subnets[0]["SubnetIdentifier"]
                groups = list(each.vpc_security_group_ids)
                found[each.db_instance_arn] = (subnet, groups, "RDSNetworkInterface")
        return found

    def _set_groups(self, interface: Interface, groups: list[str]) -> None:
        ec2 = self._backends.ec2
        made = ec2.enis.get(interface.id)
        if made is not None:
            found = (ec2.get_security_group_from_id(group) for group in groups)
            made._group_set = [group for group in found if group]

    def _next_address(self, subnet: Any) -> str:
        network = ipaddress.ip_network(subnet.cidr_block)
        taken = {each.private_ip_address for each in self._backends.ec2.enis.values()}
        size = network.num_addresses - _FIRST_HOST - 1
        start = self._next.get(subnet.id, 0)
        for step in range(start, start + size):
            address = str(network[_FIRST_HOST + step % size])
            if address not in taken:
                self._next[subnet.id] = step + 1
                return address
        raise RuntimeError(f"subnet {subnet.id} has no free address")
