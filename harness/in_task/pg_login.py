"""A PostgreSQL login by hand, for images without a driver: up to the server's answer.

After the PostgreSQL manual, "Frontend/Backend Protocol" (version 3.0), and RFC 5802 and RFC 7677
for SCRAM-SHA-256. Part of the in-task probe: Python 3.8, the standard library only, no other module
of the suite.
"""

import base64
import hashlib
import hmac
import os
import ssl
import struct
import unicodedata

PROTOCOL = 196608  # 3.0
SSL_REQUEST = struct.pack(">2I", 8, 80877103)
LARGEST = 1 << 20
BOOLEAN = 16  # pg_type: the object id of `bool`
OK, CLEARTEXT, MD5, SASL, SASL_CONTINUE, SASL_FINAL = 0, 3, 5, 10, 11, 12


class Refused(Exception):
    """The server's answer: its text as psql and the drivers show it, and its SQLSTATE."""

    def __init__(self, text, sqlstate=None):
        """Keep the code beside the text."""
        super().__init__(text)
        self.sqlstate = sqlstate


class NotSent(Exception):
    """The password was not sent, because of what the text says."""


class Session:
    """One connection. Every method raises OSError (of which time-outs are) or Refused."""

    def __init__(self, connected, host, sslmode):
        """Encrypt as ``sslmode`` says: only ``verify-ca`` and ``verify-full`` look at the name."""
        self.stream, self.secure, self.parameters = connected, False, {}
        if sslmode != "disable":
            self.encrypt(host, sslmode)

    def encrypt(self, host, sslmode):
        """Ask for TLS; go on without it where that is allowed and the server has none."""
        self.stream.sendall(SSL_REQUEST)
        if self.exactly(1) == b"S":
            context = ssl.create_default_context()
            if not sslmode.startswith("verify"):
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.stream = context.wrap_socket(self.stream, server_hostname=host)
            self.secure = True
        elif sslmode not in ("prefer", "allow"):
            raise Refused("server does not support SSL, but SSL was required")

    def log_in(self, user, database, password, options):
        """Log in, and wait until the server is ready for queries."""
        pairs = {"user": user, "database": database, "options": options}
        words = "".join(f"{key}\0{value}\0" for key, value in pairs.items()) + "\0"
        body = struct.pack(">I", PROTOCOL) + words.encode()
        self.stream.sendall(struct.pack(">I", len(body) + 4) + body)
        proof = None
        while True:
            kind, body = self.receive()
            if kind == b"R":
                proof = self.authenticate(body, user, password, proof)
            elif kind == b"S":
                name, value = body.split(b"\0")[:2]
                self.parameters[name.decode()] = value.decode("utf-8", "replace")
            elif kind == b"Z":
                return

    def authenticate(self, body, user, password, proof):
        """Answer one request of the server; returns the SCRAM exchange that is under way."""
        (wanted,) = struct.unpack_from(">I", body)
        rest = body[4:]
        if wanted == CLEARTEXT:
            if not self.secure:
                raise NotSent("the server wants the password in clear, unencrypted: not sent")
            self.send(b"p", password.encode() + b"\0")
        elif wanted == MD5:
            self.send(b"p", md5(user, password, rest[:4]) + b"\0")
        elif wanted == SASL:
            proof = Scram(password)
            if b"SCRAM-SHA-256" not in rest.split(b"\0"):
                raise NotSent("the server knows no login that this probe knows: nothing was sent")
            first = proof.first()
            self.send(b"p", b"SCRAM-SHA-256\0" + struct.pack(">I", len(first)) + first)
        elif wanted == SASL_CONTINUE and proof:
            self.send(b"p", proof.final(rest))
        elif wanted == SASL_FINAL and proof:
            proof.verify(rest)
        elif wanted != OK:
            raise NotSent(f"the server wants login method {wanted}: nothing was sent")
        return proof

    def ask(self, query):
        """Return the first field of a query's first row, as text."""
        self.send(b"Q", query.encode() + b"\0")
        kind_of, value, error = 0, None, None
        while True:
            try:
                kind, body = self.receive()
            except Refused as refused:
                error = refused
                continue
            if kind == b"T":
                (kind_of,) = struct.unpack_from(">I", body, body.index(b"\0", 2) + 7)
            elif kind == b"D" and value is None:
                (length,) = struct.unpack_from(">i", body, 2)
                value = body[6 : 6 + length].decode("utf-8", "replace") if length >= 0 else "None"
            elif kind == b"Z":
                if error:
                    raise error
                return {"t": "True", "f": "False"}[value] if kind_of == BOOLEAN else value

    def close(self):
        """Say good-bye."""
        try:
            self.send(b"X", b"")
            self.stream.close()
        except OSError:
            pass

    def send(self, kind, body):
        """Send one message."""
        self.stream.sendall(kind + struct.pack(">I", len(body) + 4) + body)

    def receive(self):
        """Return the next message's kind and body. Raises Refused where it is an error."""
        head = self.exactly(5)
        length = struct.unpack(">I", head[1:])[0] - 4
        if not 0 <= length <= LARGEST:
            raise OSError("the server does not speak PostgreSQL's protocol")
        body = self.exactly(length)
        if head[:1] == b"E":
            raise refused(body)
        return head[:1], body

    def exactly(self, size):
        """Return ``size`` bytes."""
        found = b""
        while len(found) < size:
            more = self.stream.recv(size - len(found))
            if not more:
                raise OSError("server closed the connection unexpectedly")
            found += more
        return found


class Scram:
    """One SCRAM-SHA-256 exchange, without channel binding."""

    def __init__(self, password):
        """A new nonce for each exchange."""
        ascii_only = all(ord(each) < 128 for each in password)
        # What SASLprep (RFC 4013) does to a password, as far as it changes any.
        self.password = password if ascii_only else unicodedata.normalize("NFKC", password)
        self.nonce = base64.b64encode(os.urandom(18))
        self.signature = b""

    def first(self):
        """Return the client's first message."""
        return b"n,," + self.bare()

    def bare(self):
        """Return the first message without its header; the user's name is in the start-up."""
        return b"n=,r=" + self.nonce

    def final(self, server):
        """Return the client's last message. Raises Refused for a server that plays another game."""
        said = fields(server)
        if not said.get("r", b"").startswith(self.nonce):
            raise Refused("the server's SCRAM nonce is not ours")
        salt, rounds = base64.b64decode(said["s"]), int(said["i"])
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(), salt, min(rounds, 10**6))
        key = digest(salted, b"Client Key")
        without_proof = b"c=biws,r=" + said["r"]
        everything = b",".join((self.bare(), server, without_proof))
        signature = digest(hashlib.sha256(key).digest(), everything)
        proof = bytes(one ^ other for one, other in zip(key, signature))
        self.signature = digest(digest(salted, b"Server Key"), everything)
        return without_proof + b",p=" + base64.b64encode(proof)

    def verify(self, server):
        """Raises Refused unless the server knows the password as well."""
        if not hmac.compare_digest(base64.b64decode(fields(server).get("v", b"")), self.signature):
            raise Refused("the server does not prove that it knows the password")


def fields(message):
    """Return the fields of a SCRAM message."""
    return {part[:1].decode("latin-1"): part[2:] for part in message.split(b",")}


def digest(key, message):
    """Return HMAC-SHA-256."""
    return hmac.new(key, message, "sha256").digest()


def md5(user, password, salt):
    """Return the answer to a request for an MD5 password."""
    inner = hashlib.md5((password + user).encode()).hexdigest()  # noqa: S324 - the protocol's
    return b"md5" + hashlib.md5(inner.encode() + salt).hexdigest().encode()  # noqa: S324


def refused(body):
    """Return an error of the server as psql words it."""
    said = {part[:1]: part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part}
    return Refused("{}:  {}".format(said.get(b"S", "ERROR"), said.get(b"M", "")), said.get(b"C"))
