"""Names and connections follow the control plane as it is at that moment."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from lab import names
from lab.addresses import RESOLVER_PORT
from lab.dns import NameServer
from lab.policy import PolicyServer
from lab.provision.network import task_rules
from lab.vpc import INTERNET
from lab.zones import Zones
from tests.unit.lab.small_platform import SmallPlatform

INTERNAL = f"mlflow.{names.NAMESPACE}"


@pytest.fixture
def resolver(platform: SmallPlatform) -> Iterator[NameServer]:
    target = platform.platform.balancer(names.REGISTRY_BALANCER)["DNSName"]
    zones = Zones(platform.backends, platform.interfaces, {"registry.hokus.ai": target})
    server = NameServer(
        platform.network.resolver, RESOLVER_PORT, zones, platform.vpc.resolves_names
    )
    server.start()
    yield server
    server.close()


def ask(platform: SmallPlatform, name: str, kind: str = "A", *, tcp: bool = False) -> Any:
    query = dns.message.make_query(name, kind)
    how = dns.query.tcp if tcp else dns.query.udp
    return how(query, platform.network.resolver, timeout=2, port=RESOLVER_PORT)


def addresses(answer: Any) -> list[str]:
    return [item.address for each in answer.answer for item in each if hasattr(item, "address")]


@pytest.mark.usefixtures("resolver")
class TestNames:
    def test_a_service_of_cloud_map_leads_to_its_task(self, platform: SmallPlatform) -> None:
        answer = ask(platform, INTERNAL)
        assert addresses(answer) == [platform.address(names.MLFLOW)]
        assert answer.answer[0].ttl == 10
        assert addresses(ask(platform, INTERNAL.upper(), tcp=True)) == addresses(answer)

    def test_a_service_without_an_instance_exists_and_has_no_address(
        self, platform: SmallPlatform
    ) -> None:
        cloud_map = platform.aws.servicediscovery
        service = platform.platform.discovery_service(names.NAMESPACE, "mlflow")["Id"]
        (instance,) = cloud_map.list_instances(ServiceId=service)["Instances"]
        cloud_map.deregister_instance(ServiceId=service, InstanceId=instance["Id"])
        try:
            answer = ask(platform, INTERNAL)
        finally:
            cloud_map.register_instance(
                ServiceId=service,
                InstanceId=instance["Id"],
                CreatorRequestId="again",
                Attributes=instance["Attributes"],
            )
        assert (answer.rcode(), answer.answer) == (dns.rcode.NOERROR, [])
        assert addresses(ask(platform, INTERNAL)) == [platform.address(names.MLFLOW)]

    @pytest.mark.parametrize(
        "name", ["mlflow.hokusai-development.local", "nobody.hokusai.local", "example.org"]
    )
    def test_what_nobody_has_registered_does_not_exist(
        self, platform: SmallPlatform, name: str
    ) -> None:
        assert ask(platform, name).rcode() == dns.rcode.NXDOMAIN

    def test_a_public_host_is_a_cname_onto_its_load_balancer(self, platform: SmallPlatform) -> None:
        answer = ask(platform, "registry.hokus.ai")
        kinds = [dns.rdatatype.to_text(each.rdtype) for each in answer.answer]
        assert kinds == ["CNAME", "A"]
        arn = platform.platform.balancer(names.REGISTRY_BALANCER)["LoadBalancerArn"]
        found = platform.interfaces.of(arn)
        assert found is not None
        assert addresses(answer) == [found.address]

    def test_a_host_has_no_address_of_another_family(self, platform: SmallPlatform) -> None:
        answer = ask(platform, INTERNAL, "AAAA")
        assert (answer.rcode(), answer.answer) == (dns.rcode.NOERROR, [])

    def test_without_dns_support_the_resolver_is_silent(self, platform: SmallPlatform) -> None:
        vpc = platform.platform.vpc()
        platform.aws.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": False})
        try:
            query = dns.message.make_query(INTERNAL, "A")
            with pytest.raises(dns.exception.Timeout):
                dns.query.udp(query, platform.network.resolver, timeout=0.3, port=RESOLVER_PORT)
        finally:
            platform.aws.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": True})

    def test_what_is_no_question_is_ignored(self, platform: SmallPlatform) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"\x00\x01nonsense", (platform.network.resolver, RESOLVER_PORT))
        assert addresses(ask(platform, INTERNAL))


class TestConnections:
    def allows(self, platform: SmallPlatform, caller: str, callee: str, port: int) -> bool:
        return platform.vpc.allows(platform.address(caller), platform.address(callee), port)

    def test_the_healthy_platform_lets_through_what_it_needs(self, platform: SmallPlatform) -> None:
        assert self.allows(platform, names.API, names.MLFLOW, 5000)
        assert not self.allows(platform, names.API, names.MLFLOW, 5001)
        assert not self.allows(platform, names.MLFLOW, names.API, 8001)

    def test_a_revoked_rule_closes_the_way_at_once(self, platform: SmallPlatform) -> None:
        ec2, group = platform.aws.ec2, platform.platform.group(names.TASK_GROUP)
        rules = [rule for rule in task_rules(platform.platform) if rule["FromPort"] == 5000]
        ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=rules)
        try:
            assert not self.allows(platform, names.API, names.MLFLOW, 5000)
        finally:
            ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rules)
        assert self.allows(platform, names.API, names.MLFLOW, 5000)

    def test_from_outside_only_the_load_balancers_can_be_reached(
        self, platform: SmallPlatform
    ) -> None:
        arn = platform.platform.balancer(names.REGISTRY_BALANCER)["LoadBalancerArn"]
        registry = platform.interfaces.of(arn)
        database = platform.interfaces.of(platform.platform.database()["DBInstanceArn"])
        assert registry is not None
        assert database is not None
        assert platform.vpc.allows(INTERNET, registry.address, 443)
        assert not platform.vpc.allows(INTERNET, registry.address, 22)
        assert not platform.vpc.allows(INTERNET, database.address, 5432)
        assert not platform.vpc.allows(INTERNET, platform.address(names.MLFLOW), 5000)

    def test_a_network_acl_denies_what_the_groups_admit(self, platform: SmallPlatform) -> None:
        ec2 = platform.aws.ec2
        database = platform.interfaces.of(platform.platform.database()["DBInstanceArn"])
        assert database is not None
        wanted: Any = [{"Name": "association.subnet-id", "Values": [database.subnet]}]
        (acl,) = ec2.describe_network_acls(Filters=wanted)["NetworkAcls"]
        entry: Any = {"NetworkAclId": acl["NetworkAclId"], "RuleNumber": 1, "Egress": False}
        ec2.create_network_acl_entry(
            **entry,
            Protocol="6",
            RuleAction="deny",
            CidrBlock="0.0.0.0/0",
            PortRange={"From": 5432, "To": 5432},
        )
        api = platform.address(names.API)
        try:
            assert not platform.vpc.allows(api, database.address, 5432)
        finally:
            ec2.delete_network_acl_entry(**entry)
        assert platform.vpc.allows(api, database.address, 5432)

    def test_nobody_is_at_an_address_without_an_interface(self, platform: SmallPlatform) -> None:
        nobody = platform.network.cidr.replace(".0.0/16", ".47.200")
        assert not platform.vpc.allows(platform.address(names.API), nobody, 5000)

    def test_the_policy_answers_tasks_in_one_line_each(
        self, platform: SmallPlatform, tmp_path: Path
    ) -> None:
        server = PolicyServer(tmp_path / "policy", platform.vpc)
        server.start()
        api, mlflow = platform.address(names.API), platform.address(names.MLFLOW)
        questions = (
            {"from": api, "to": mlflow, "port": 5000},
            {"from": mlflow, "to": api, "port": 8001},
            {"to": "nonsense"},
        )
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(tmp_path / "policy"))
                client.sendall(b"".join(json.dumps(each).encode() + b"\n" for each in questions))
                with client.makefile("rb") as lines:
                    verdicts = [json.loads(lines.readline())["verdict"] for _ in questions]
        finally:
            server.close()
        assert verdicts == ["allow", "drop", "drop"]
