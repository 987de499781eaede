"""What names lead to now: Cloud Map, databases, load balancers, and the public zone."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lab import names
from lab.aws.backends import Backends
from lab.aws.interfaces import Interfaces

_BALANCER_TTL, _DATABASE_TTL, _PUBLIC_TTL = 60, 5, 300
_MOST_ANSWERS = 8  # Route 53's limit for multivalue answers.
_LONGEST_CHAIN = 8


@dataclass(frozen=True, slots=True)
class Record:
    """An address (`A`) or another name (`CNAME`) for a name; `ttl` in seconds."""

    name: str
    kind: str
    value: str
    ttl: int


@dataclass(frozen=True, slots=True)
class Found:
    """The records that answer a question; `exists` is false for NXDOMAIN."""

    records: tuple[Record, ...]
    exists: bool


class Zones:
    """Every name that the lab knows. Anything else does not exist: nothing is ever forwarded."""

    def __init__(
        self, backends: Backends, interfaces: Interfaces, public: Mapping[str, str]
    ) -> None:
        """`public` is the third party's zone: public host → the name that its CNAME leads to."""
        self._backends, self._interfaces, self._public = backends, interfaces, public

    def addresses(self, name: str) -> Found:
        """The chain of CNAMEs and the addresses at its end."""
        records: list[Record] = []
        current = name.lower().rstrip(".")
        for _ in range(_LONGEST_CHAIN):
            target = self._public.get(current)
            if target is None:
                break
            records.append(Record(current, "CNAME", target, _PUBLIC_TTL))
            current = target.lower()
        with self._backends.lock:
            found = self._private(current) or self._of_aws(current) or self._apex(current)
        if found is None:
            return Found(tuple(records), exists=False)
        return Found((*records, *found.records), exists=True)

    def _of_aws(self, name: str) -> Found | None:
        for arn, host, ttl in self._hosts():
            if host.lower() == name:
                interface = self._interfaces.of(arn)
                found = (Record(name, "A", interface.address, ttl),) if interface else ()
                return Found(found, exists=True)
        return None

    def _hosts(self) -> Iterator[tuple[str, str, int]]:
        for balancer in self._backends.elbv2.load_balancers.values():
            yield balancer.arn, balancer.dns_name, _BALANCER_TTL
        for database in self._backends.rds.databases.values():
            yield database.db_instance_arn, database.address, _DATABASE_TTL

    def _private(self, name: str) -> Found | None:
        cloud_map = self._backends.servicediscovery
        for namespace in cloud_map.namespaces.values():
            if namespace.type == "DNS_PRIVATE" and name.endswith(f".{namespace.name}"):
                label = name.removesuffix(f".{namespace.name}")
                for service in cloud_map.services.values():
                    if (service.namespace_id, service.name) == (namespace.id, label):
                        return Found(tuple(_instances(name, service)), exists=True)
        return None

    def _apex(self, name: str) -> Found | None:
        """A zone itself exists, without addresses."""
        zones = {each.name for each in self._backends.servicediscovery.namespaces.values()}
        return Found((), exists=True) if name in {*zones, names.PUBLIC_ZONE} else None


def _instances(name: str, service: Any) -> list[Record]:
    """Up to eight healthy instances in random order; all of them when none is healthy."""
    instances = [each for each in service.instances if "AWS_INSTANCE_IPV4" in each.attributes]
    healthy = [each for each in instances if each.health_status != "UNHEALTHY"] or instances
    chosen = random.sample(healthy, min(len(healthy), _MOST_ANSWERS))
    ttl = _ttl(service)
    return [Record(name, "A", each.attributes["AWS_INSTANCE_IPV4"], ttl) for each in chosen]


def _ttl(service: Any) -> int:
    for record in (service.dns_config or {}).get("DnsRecords", []):
        if record.get("Type") == "A":
            return int(record.get("TTL", 0))
    return 0
