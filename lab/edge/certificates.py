"""TLS of a listener: the certificate is looked up at each handshake."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from weakref import WeakKeyDictionary

from cryptography import x509

from lab.pki import Identity

Lookup = Callable[[], Sequence[tuple[str, Identity]]]


class Presenter:
    """Chooses what to present at each handshake: the listener's default, or another one by SNI.

    `lookup` gives (reference, identity) pairs, the default first. With none the handshake fails.
    """

    def __init__(self, lookup: Lookup) -> None:
        """`context` is for the listening socket."""
        self._lookup = lookup
        self._chosen: WeakKeyDictionary[ssl.SSLObject | ssl.SSLSocket, tuple[str, str]]
        self._chosen = WeakKeyDictionary()
        self.context = _context()
        self.context.sni_callback = self._choose

    def chosen(self, connection: ssl.SSLObject) -> tuple[str, str]:
        """The name asked for, and the reference of what was presented (none: "-")."""
        return self._chosen.get(connection, ("-", "-"))

    def _choose(
        self,
        connection: ssl.SSLObject | ssl.SSLSocket,
        name: str | None,
        _context: ssl.SSLContext,
    ) -> int | None:
        offered = self._lookup()
        if not offered:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        reference, identity = _best(offered, (name or "").lower())
        connection.context = _presenting(identity)
        self._chosen[connection] = (name or "-", reference)
        return None


def _best(offered: Sequence[tuple[str, Identity]], name: str) -> tuple[str, Identity]:
    covering = (each for each in offered if any(_covers(n, name) for n in _names(each[1])))
    return next(covering, offered[0])


def _covers(pattern: str, name: str) -> bool:
    """A wildcard stands for one label."""
    return fnmatchcase(name, pattern) and name.count(".") == pattern.count(".")


@lru_cache(maxsize=64)
def _names(identity: Identity) -> tuple[str, ...]:
    leaf = x509.load_pem_x509_certificates(identity.chain)[0]
    found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return tuple(found.value.get_values_for_type(x509.DNSName))


@lru_cache(maxsize=64)
def _presenting(identity: Identity) -> ssl.SSLContext:
    """OpenSSL reads keys from a path only: an anonymous file keeps them off the disk."""
    context = _context()
    handle = os.memfd_create("identity")
    try:
        os.write(handle, identity.chain + b"\n" + identity.key)
        context.load_cert_chain(f"/proc/self/fd/{handle}")
    finally:
        os.close(handle)
    return context


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
