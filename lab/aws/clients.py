# mypy: disable-error-code="no-any-return"
# boto3 types its clients by overloads of a literal name only.
"""boto3 clients for one endpoint: how the lab's own provisioning, faults and tools call AWS."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_acm import ACMClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_rds import RDSClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_servicediscovery import ServiceDiscoveryClient
    from mypy_boto3_sts import STSClient


class Clients:
    """One boto3 client per service, made when first used; safe in threads."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Take endpoint, region and credentials from AWS_* variables of `environment`."""
        self._environment = environment
        self._making = threading.Lock()

    @cached_property
    def ec2(self) -> EC2Client:
        """VPC, subnets, security groups, network interfaces."""
        return self._client("ec2")

    @cached_property
    def ecs(self) -> ECSClient:
        """Cluster, task definitions, services, tasks."""
        return self._client("ecs")

    @cached_property
    def servicediscovery(self) -> ServiceDiscoveryClient:
        """Cloud Map."""
        return self._client("servicediscovery")

    @cached_property
    def elbv2(self) -> ElasticLoadBalancingv2Client:
        """Load balancers, listeners, rules, target groups."""
        return self._client("elbv2")

    @cached_property
    def rds(self) -> RDSClient:
        """The database instance and its groups."""
        return self._client("rds")

    @cached_property
    def secretsmanager(self) -> SecretsManagerClient:
        """Secrets."""
        return self._client("secretsmanager")

    @cached_property
    def logs(self) -> CloudWatchLogsClient:
        """Log groups."""
        return self._client("logs")

    @cached_property
    def acm(self) -> ACMClient:
        """Certificates."""
        return self._client("acm")

    @cached_property
    def iam(self) -> IAMClient:
        """Roles and policies."""
        return self._client("iam")

    @cached_property
    def sts(self) -> STSClient:
        """The account."""
        return self._client("sts")

    @cached_property
    def s3(self) -> S3Client:
        """Buckets."""
        return self._client("s3")

    @cached_property
    def _session(self) -> Any:
        import boto3

        return boto3.Session(
            aws_access_key_id=self._environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self._environment["AWS_SECRET_ACCESS_KEY"],
            region_name=self._environment["AWS_REGION"],
        )

    def _client(self, service: str) -> Any:
        from botocore.config import Config

        # Loopback only: no proxy, no retries that hide an error, no host prefixes to resolve.
        config = Config(
            proxies={},
            retries={"total_max_attempts": 1},
            inject_host_prefix=False,
            s3={"addressing_style": "path"},
            connect_timeout=5,
            read_timeout=30,
        )
        with self._making:
            endpoint = self._environment["AWS_ENDPOINT_URL"]
            return self._session.client(service, endpoint_url=endpoint, config=config)
