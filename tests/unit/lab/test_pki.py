"""The lab's certificates: what a client that trusts only the lab's root makes of each of them."""

from __future__ import annotations

import socket
import ssl
import stat
import threading
from pathlib import Path

import pytest

from lab.pki import Authority, Identity, self_signed


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def verdict(identity: Identity, host: str, bundle: bytes, folder: Path) -> str:
    """What a strict client says of a server with this identity: `ok`, or OpenSSL's reason."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*identity.write(folder, "server"))
    client = ssl.create_default_context(cadata=bundle.decode())
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=_serve, args=(server, theirs))
    thread.start()
    try:
        ours.settimeout(5)
        client.wrap_socket(ours, server_hostname=host).close()
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    else:
        return "ok"
    finally:
        ours.close()
        thread.join()


def _serve(context: ssl.SSLContext, connection: socket.socket) -> None:
    with connection:
        connection.settimeout(5)
        try:
            context.wrap_socket(connection, server_side=True).close()
        except OSError:
            return


@pytest.mark.parametrize("host", ["registry.hokus.ai", "auth.hokus.ai", "hokus.ai"])
def test_the_public_certificate_covers_the_public_names(
    authority: Authority, tmp_path: Path, host: str
) -> None:
    assert verdict(authority.public(), host, authority.bundle, tmp_path) == "ok"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("expired", "certificate has expired"),
        ("wrong name", "Hostname mismatch"),
        ("self-signed", "self-signed certificate"),
        ("no intermediate", "unable to get local issuer certificate"),
    ],
)
def test_a_fault_certificate_fails_for_its_own_reason(
    authority: Authority, tmp_path: Path, fault: str, reason: str
) -> None:
    identity = {
        "expired": authority.expired,
        "wrong name": authority.wrong_name,
        "self-signed": self_signed,
        "no intermediate": authority.without_intermediate,
    }[fault]()
    assert reason in verdict(identity, "registry.hokus.ai", authority.bundle, tmp_path)


def test_an_elb_name_is_never_covered(authority: Authority, tmp_path: Path) -> None:
    name = "lb-123.us-east-1.elb.amazonaws.com"
    assert "Hostname mismatch" in verdict(authority.public(), name, authority.bundle, tmp_path)


def test_each_lab_has_an_authority_of_its_own(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority().public()
    assert verdict(stranger, "hokus.ai", authority.bundle, tmp_path) != "ok"


def test_a_key_is_readable_by_its_owner_alone_and_not_in_the_repr(
    authority: Authority, tmp_path: Path
) -> None:
    identity = authority.public()
    _, key = identity.write(tmp_path, "public")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "PRIVATE" in key.read_text()
    assert "PRIVATE" not in repr(identity)
