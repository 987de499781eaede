"""The healthy platform, created through boto3 as its infrastructure code would."""

from __future__ import annotations

from lab.pki import Identity
from lab.platform import Platform
from lab.provision.data import Secrets, create_data
from lab.provision.discovery import create_discovery
from lab.provision.edge import create_edge
from lab.provision.identity import create_roles
from lab.provision.network import create_network
from lab.provision.tasks import create_services

__all__ = ["Secrets", "provision"]


def provision(platform: Platform, secrets: Secrets, certificate: Identity) -> None:
    """Create everything that the platform has, in the order of its dependencies."""
    create_network(platform)
    create_roles(platform)
    create_data(platform, secrets)
    create_discovery(platform)
    create_edge(platform, certificate)
    create_services(platform)
    platform.remember()
