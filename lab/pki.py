"""The lab's certificate authority: a root, an intermediate and what they issue.

Fault certificates (expired, wrong name, self-signed, intermediate missing) are made here too, so
that a fault is nothing but another certificate behind the same reference.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PUBLIC_NAMES = ("hokus.ai", "*.hokus.ai")
_LONGEST_COMMON_NAME = 64
_A_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a TLS server presents: its chain (leaf first, no root) and its private key, both PEM."""

    chain: bytes
    key: bytes

    def __repr__(self) -> str:
        """Without the key: a repr ends up in logs."""
        return f"Identity({len(self.chain)} bytes of chain)"

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Write `<name>.crt` and `<name>.key` (mode 0600) into a folder; return both paths."""
        chain, key = folder / f"{name}.crt", folder / f"{name}.key"
        chain.write_bytes(self.chain)
        key.touch(mode=0o600)
        key.write_bytes(self.key)
        return chain, key


class Authority:
    """A root and the intermediate that issues; nothing is written unless asked for."""

    def __init__(self, organization: str = "Hokusai lab") -> None:
        """Generate both keys (elliptic curve, a few milliseconds)."""
        self._root = trustme.CA(organization_name=organization, organization_unit_name="root")
        self._intermediate = self._root.create_child_ca()

    @property
    def bundle(self) -> bytes:
        """The root certificate, PEM: what a client trusts."""
        return self._root.cert_pem.bytes()

    def write_bundle(self, path: Path) -> Path:
        """Write what a client trusts (HOKUSAI_TLS_CA_BUNDLE) and return the path."""
        path.write_bytes(self.bundle)
        return path

    def issue(self, *names: str, not_after: dt.datetime | None = None) -> Identity:
        """A server certificate for these names or addresses, intermediate included."""
        leaf = self._leaf(names, not_after=not_after)
        return Identity(b"".join(pem.bytes() for pem in leaf.cert_chain_pems), _key(leaf))

    def public(self) -> Identity:
        """The certificate of the public hosts: `*.hokus.ai` and `hokus.ai`."""
        return self.issue(*PUBLIC_NAMES)

    def expired(self, *names: str) -> Identity:
        """A certificate whose validity ended yesterday."""
        yesterday = dt.datetime.now(dt.UTC) - _A_DAY
        leaf = self._leaf(names, not_before=yesterday - 90 * _A_DAY, not_after=yesterday)
        return Identity(b"".join(pem.bytes() for pem in leaf.cert_chain_pems), _key(leaf))

    def expiring(self, after: dt.timedelta) -> Identity:
        """A certificate of the public names that is good for so long."""
        return self.issue(not_after=dt.datetime.now(dt.UTC) + after)

    def wrong_name(self) -> Identity:
        """A valid certificate of this authority that covers none of the platform's names."""
        return self.issue("wrong-name.invalid")

    def without_intermediate(self, *names: str) -> Identity:
        """A valid certificate whose server forgot to send the intermediate."""
        leaf = self._leaf(names)
        return Identity(leaf.cert_chain_pems[0].bytes(), _key(leaf))

    def _leaf(
        self,
        names: tuple[str, ...],
        *,
        not_before: dt.datetime | None = None,
        not_after: dt.datetime | None = None,
    ) -> trustme.LeafCert:
        wanted = names or PUBLIC_NAMES
        # A common name has at most 64 characters; the names that count are the alternative ones.
        common_name = next((name for name in wanted if len(name) <= _LONGEST_COMMON_NAME), None)
        return self._intermediate.issue_cert(
            *wanted, common_name=common_name, not_before=not_before, not_after=not_after
        )


def self_signed(*names: str) -> Identity:
    """A certificate that nobody but itself vouches for (default: the public names)."""
    wanted = names or PUBLIC_NAMES
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, wanted[0])])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _A_DAY)
        .not_valid_after(now + 90 * _A_DAY)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in wanted]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Identity(certificate.public_bytes(serialization.Encoding.PEM), pem)


def _key(leaf: trustme.LeafCert) -> bytes:
    return leaf.private_key_pem.bytes()


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
