"""Certificates and reach for tests of probes."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from harness.environment import Network, Tls
from harness.probes.network import Reach

TlsFor = Callable[..., ssl.SSLContext]
ReachFor = Callable[..., Reach]


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the shell that runs the tests reaches the run that is tested."""
    for name in [name for name in os.environ if name.startswith(("HOKUSAI_", "AWS_"))]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls_for(authority: trustme.CA) -> TlsFor:
    """A server's TLS context with a certificate for some names."""

    def make(*names: str, signed_by: trustme.CA = authority) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        signed_by.issue_cert(*names).configure_cert(context)
        return context

    return make


@pytest.fixture
def reach_for(authority: trustme.CA, tmp_path: Path) -> ReachFor:
    """A runner that trusts the tests' authority, with these connect_to entries."""
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))

    def make(*connect_to: str) -> Reach:
        return Reach(Network(connect_to=connect_to), Tls(ca_bundle=str(bundle)))

    return make
