"""What a lab hands over to whoever tests it: environment variables only."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab import names
from lab.addresses import RESOLVER_PORT, Network
from lab.edge import bound_port

_PUBLIC_PORTS = (80, 443)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Random for each lab, and worth nothing anywhere else."""

    access_key: str
    secret_key: str = field(repr=False)
    api_key: str = field(repr=False)

    @classmethod
    def generate(cls) -> Credentials:
        """New ones."""
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
        tail = "".join(secrets.choice(alphabet) for _ in range(16))
        return cls(f"AKIA{tail}", secrets.token_urlsafe(30), f"hk_test_{secrets.token_hex(24)}")

    @property
    def api_key_hash(self) -> str:
        """The digest that the auth service knows the API key by."""
        return hashlib.sha256(self.api_key.encode()).hexdigest()


def aws_environment(network: Network, credentials: Credentials) -> dict[str, str]:
    """What boto3 and the aws CLI need."""
    return {
        "AWS_ENDPOINT_URL": network.endpoint_url,
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "AWS_DEFAULT_REGION": names.REGION,
        "AWS_REGION": names.REGION,
    }


def environment(
    network: Network,
    credentials: Credentials,
    *,
    bundle: Path,
    breaker: Path,
    balancers: Mapping[str, str],
) -> dict[str, str]:
    """Everything. `balancers` maps host names to the addresses of their load balancers."""
    return {
        **aws_environment(network, credentials),
        "HOKUSAI_API_KEY": credentials.api_key,
        "HOKUSAI_TLS_CA_BUNDLE": str(bundle),
        "HOKUSAI_NETWORK_CONNECT_TO": _connect_to(balancers),
        "HOKUSAI_NETWORK_RESOLVER": f"{network.resolver}:{RESOLVER_PORT}",
        "HOKUSAI_CIRCUIT_BREAKER_SOURCE": str(breaker),
    }


def _connect_to(balancers: Mapping[str, str]) -> str:
    return ",".join(
        f"{host}:{port}:{address}:{bound_port(port)}"
        for host, address in balancers.items()
        for port in _PUBLIC_PORTS
    )
