"""The in-task probe: one self-contained file that answers a run's questions inside a task.

Reads {"questions": [...], "deadline": seconds} from standard input and prints {"answers": [...]},
in order. The questions are probe specifications and the answers observations of the suite
(harness/specs.py, harness/observation.py), as JSON. Needs only Python 3.8 and its standard
library; uses psycopg2 if the service brings it. Installs nothing, leaves nothing, never raises.
`harness.in_task.source` puts it and the modules beside it into one text.
"""

import errno
import hashlib
import json
import os
import re
import select
import socket
import ssl
import sys
import threading
import time
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import dns_query
import pg_login

GRACE_S = 0.3
RESOLVER = Path("/etc/resolv.conf")
VARIABLE = re.compile(r"\$\{(\w+)(?::-((?:[^{}]|\{[^{}]*\})*))?\}")
USER_INFO = re.compile(r"://[^/@:\s]*:([^/@\s]+)@")
SHORTEST = 6  # a shorter value is no secret, and replacing it would garble everything
SECRETS = re.compile(r"PASSWORD|SECRET|TOKEN|KEY|CREDENTIAL", re.I)
# Before Python 3.10 these were two.
TIMED_OUT = (TimeoutError, socket.timeout)
CONNECT = {
    errno.ECONNREFUSED: "connect-refused",
    errno.ECONNRESET: "connect-reset",
    errno.ETIMEDOUT: "connect-timeout",
    errno.EHOSTUNREACH: "connect-unreachable",
    errno.ENETUNREACH: "connect-unreachable",
}


class Fail(Exception):
    """A failure whose kind is known."""

    def __init__(self, kind, message):
        """Keep the kind beside the message."""
        super().__init__(message)
        self.kind = kind


class Clock:
    """The one deadline of a question, and the time that each stage took."""

    def __init__(self, seconds):
        """Start now."""
        self.started = time.monotonic()
        self.seconds = seconds
        self.timings = {}

    def left(self):
        """Return the seconds left. Raises socket.timeout when there are none."""
        left = self.started + self.seconds - time.monotonic()
        if left <= 0:
            raise TimeoutError("deadline")
        return left

    def mark(self, stage, begun):
        """Note how many milliseconds ``stage`` took."""
        self.timings[stage] = round((time.monotonic() - begun) * 1000, 3)


def fill(text):
    """Return ``text`` with ``${NAME}`` and ``${NAME:-otherwise}`` from the environment."""
    before = None
    while before != text:
        before = text
        text = VARIABLE.sub(lambda m: os.environ.get(m.group(1)) or m.group(2) or "", text)
    return text


def filled(question, name):
    """Return a field of the question, filled in. Raises Fail if nothing is left."""
    value = fill(str(question[name]))
    if not value or value.startswith(("/", ":")):
        raise Fail("setting-empty", f"{name}: the task has no value for {question[name]}")
    return value


def resolve(host, family=0):
    """Return the addresses of ``host``, as the task's own resolver gives them. Raises Fail."""
    try:
        found = socket.getaddrinfo(host, None, family, socket.SOCK_STREAM)
    except socket.gaierror as error:
        kinds = {socket.EAI_AGAIN: "dns-timeout", socket.EAI_FAIL: "dns-servfail"}
        if error.errno == getattr(socket, "EAI_NODATA", None):
            kind = "dns-no-answer"
        else:
            kind = kinds.get(error.errno, "dns-nxdomain")
        raise Fail(kind, f"{host}: {error.strerror}") from None
    except UnicodeError:
        raise Fail("dns-nxdomain", f"{host}: is not a host name") from None
    return list(dict.fromkeys(entry[4][0] for entry in found))


def connect(host, port, clock):
    """Return a connected socket and where it goes. Raises Fail."""
    begun = time.monotonic()
    addresses = resolve(host)
    clock.mark("dns", begun)
    begun = time.monotonic()
    where = f"{host}:{port}"
    for address in addresses:
        try:
            connected = socket.create_connection((address, port), timeout=clock.left())
        except TIMED_OUT:
            failure = Fail("connect-timeout", f"{where}: no answer within {clock.seconds:g} s")
        except OSError as error:
            kind = CONNECT.get(error.errno, "connect-unreachable")
            failure = Fail(kind, f"{where}: {error.strerror or error}")
        else:
            clock.mark("connect", begun)
            return connected, f"{address}:{port}"
    raise failure


def secure(connected, host, clock):
    """Return the socket after a verified TLS handshake. Raises Fail."""
    begun = time.monotonic()
    connected.settimeout(clock.left())
    try:
        secured = ssl.create_default_context().wrap_socket(connected, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        raise Fail("tls-verify", f"{host}: {error.verify_message}") from None
    except (ssl.SSLError, OSError) as error:
        raise Fail(
            "tls-handshake", "{}: {}".format(host, getattr(error, "reason", error))
        ) from None
    clock.mark("tls", begun)
    return secured


def ask_http(question, clock):
    """Make one HTTP request; redirects are told, not followed."""
    import http.client  # takes as long to load as all else here: only where it is used

    url = filled(question, "url")
    seen = {"method": question.get("method", "GET"), "url": url, "timings": clock.timings}
    try:
        seen.update(exchange(question, url, clock))
    except Fail as error:
        seen["failure"] = failure(error)
    except TIMED_OUT:
        text = f"{site(url)}: no answer within {clock.seconds:g} s"
        seen["failure"] = {"kind": "read-timeout", "message": text}
    except (http.client.HTTPException, ValueError) as error:
        text = f"{site(url)}: {type(error).__name__}"
        seen["failure"] = {"kind": "protocol-error", "message": text}
    except OSError as error:
        seen["failure"] = {"kind": "read-reset", "message": f"{site(url)}: {error.strerror}"}
    clock.mark("total", clock.started)
    return seen


def exchange(question, url, clock):
    """Return status, headers and body of one request."""
    import http.client

    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    connected, address = connect(parts.hostname or "", port, clock)
    with connected:
        if parts.scheme == "https":
            connected = secure(connected, parts.hostname, clock)
        connected.settimeout(clock.left())
        asking = http.client.HTTPConnection(parts.hostname, port)
        asking.sock = connected
        path = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        headers = {"User-Agent": "hokusai-acceptance/1", "Connection": "close"}
        headers.update((name, fill(value)) for name, value in question.get("headers", []))
        asking.request(question.get("method", "GET"), path, question.get("body"), headers)
        answer = asking.getresponse()
        clock.mark("first_byte", clock.started)
        body = answer.read(question["max_bytes"] + 1)
    seen = {
        "status": answer.status,
        "headers": {name.lower(): value for name, value in answer.getheaders()},
        "body": body[: question["max_bytes"]].decode("utf-8", "replace"),
        "body_bytes": len(body),
        "address": address,
        "request_headers": headers,
    }
    if len(body) > question["max_bytes"]:
        text = f"the body is longer than {question['max_bytes']} bytes"
        seen["failure"] = {"kind": "too-large", "message": text}
    return seen


def ask_tcp(question, clock):
    """Connect, and close at once."""
    host, port = filled(question, "host"), filled(question, "port")
    seen = {"host": host, "port": int(port)}
    try:
        connected, seen["address"] = connect(host, int(port), clock)
        connected.close()
    except Fail as error:
        seen["failure"] = failure(error)
    return seen


def ask_tls(question, clock):
    """Shake hands with verification."""
    host, port = filled(question, "host"), int(question.get("port", 443))
    seen = {"host": host, "port": port}
    try:
        connected, seen["address"] = connect(host, port, clock)
        with connected, secure(connected, host, clock) as secured:
            seen["version"], seen["cipher"] = secured.version(), secured.cipher()[0]
    except Fail as error:
        seen["failure"] = failure(error)
    return seen


def ask_dns(question, clock):
    """Look a name up as the service does, and ask the task's resolver for what that hides."""
    name, record, resolver = filled(question, "name"), question.get("record", "A"), nameserver()
    seen = {"name": name, "record": record, "resolver": resolver}
    family = {"A": socket.AF_INET, "AAAA": socket.AF_INET6}.get(record, 0)
    try:
        seen["answers"] = resolve(name, family)
    except Fail as error:
        seen["failure"] = failure(error)
    told = directly(name, record, resolver, clock)
    seen.update((key, told[key]) for key in ("rcode", "ttl") if told.get(key) is not None)
    if record not in ("A", "AAAA") and told.get("answers"):
        seen["answers"] = told["answers"]
    if "failure" in seen:
        seen["failure"]["kind"] = look_up_kind(seen["failure"]["kind"], told)
    return seen


def directly(name, record, resolver, clock):
    """Return what the resolver itself says; nothing where it cannot be asked."""
    try:
        return dns_query.ask(name, record, resolver or "", min(1.0, clock.left()))
    except (OSError, ValueError, KeyError):
        return {}


def look_up_kind(kind, told):
    """Return the kind of a failed look-up: the C library has one error for several of them."""
    if told.get("rcode") == "NOERROR" and not told["answers"]:
        return "dns-no-answer"
    return {"NXDOMAIN": "dns-nxdomain", "SERVFAIL": "dns-servfail"}.get(told.get("rcode"), kind)


def nameserver():
    """Return the first name server of the task's resolver configuration, or None."""
    try:
        lines = [line.split() for line in RESOLVER.read_text().splitlines()]
    except OSError:
        return None
    return next((line[1] for line in lines if line[:1] == ["nameserver"]), None)


def ask_variables(question, _clock):
    """Tell which variables are set; values of ``names`` only, digests of the secret ones."""
    told = [plain_variable(name) for name in question.get("names", [])]
    return {"variables": told + [secret_variable(n) for n in question.get("secret_names", [])]}


def plain_variable(name):
    """Return a variable with its value."""
    return {"name": name, "present": name in os.environ, "value": os.environ.get(name)}


def secret_variable(name):
    """Return a variable with the beginning of its digest."""
    value = os.environ.get(name)
    digest = hashlib.sha256(value.encode()).hexdigest()[:8] if value else None
    return {"name": name, "present": value is not None, "sha256_8": digest}


def ask_postgres(question, clock):
    """Log in as the service does: with its own driver, or by hand where there is none."""
    seen = {"host": fill(question["host"]), "user": fill(question["user"])}
    seen["database"], seen["sslmode"] = fill(question["database"]), question["sslmode"]
    try:
        for name in ("host", "port", "user", "database", "password"):
            filled(question, name)
        seen["port"] = int(filled(question, "port"))
        seen.update(log_in(seen, fill(question["password"]), clock))
    except Fail as error:
        seen["failure"] = failure(error)
    return seen


OPTIONS = "-c default_transaction_read_only=on -c statement_timeout=2000"


def log_in(seen, password, clock):
    """Return what the server said to a login, and what the session may do."""
    try:
        import psycopg2
    except ImportError:
        return log_in_by_hand(seen, password, clock)
    try:
        session = psycopg2.connect(
            host=seen["host"],
            port=seen["port"],
            user=seen["user"],
            password=password,
            dbname=seen["database"],
            sslmode=seen["sslmode"],
            options=OPTIONS,
            # Waited for here, to the deadline: connect_timeout knows whole seconds, from 2 on.
            async_=True,
        )
        await_driver(session, psycopg2, clock)
    except psycopg2.Error as error:
        return refused(str(error).strip(), error.pgcode)
    except UnicodeDecodeError:
        return refused("the server's answer is no text: it may be no PostgreSQL server", None)
    except TIMED_OUT:
        silent = Fail("connect-timeout", "")
        return refused(as_libpq(silent, seen["host"], seen["port"]), None)
    version = str(session.server_version)
    return in_session(
        version, lambda query: by_driver(session, psycopg2, clock, query), session.close
    )


def await_driver(session, psycopg2, clock):
    """Wait until the driver has done what it was told to. Raises socket.timeout at the deadline."""
    events = {
        psycopg2.extensions.POLL_READ: select.POLLIN,
        psycopg2.extensions.POLL_WRITE: select.POLLOUT,
    }
    while (state := session.poll()) != psycopg2.extensions.POLL_OK:
        waiting = select.poll()
        waiting.register(session.fileno(), events[state])
        waiting.poll(clock.left() * 1000)


def refused(text, sqlstate):
    """Return the observation of a login that failed."""
    failed = {"kind": login_kind(text), "message": text}
    return {"message": text, "sqlstate": sqlstate, "failure": failed}


FACTS = {
    "current_user": "select current_user",
    "may_create": "select has_database_privilege(current_database(), 'CREATE')",
    "may_use_schema": "select has_schema_privilege('public', 'USAGE')",
    "may_read_tables": "select coalesce(bool_and(has_table_privilege(oid, 'SELECT')), true) "
    "from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace",
    "tables": "select count(*) from pg_class where relkind = 'r' "
    "and relnamespace = 'public'::regnamespace",
    "ssl": "select ssl from pg_stat_ssl where pid = pg_backend_pid()",
}


def in_session(version, ask, close):
    """Return what an open session may do, and close it."""
    facts = {name: ask(query) for name, query in FACTS.items()}
    close()
    return {"server_version": version, "message": "logged in", "facts": facts}


def by_driver(session, psycopg2, clock, query):
    """Return a query's one value as text, or the error."""
    with session.cursor() as cursor:
        try:
            clock.left()
            cursor.execute(query)
            await_driver(session, psycopg2, clock)
            return str(cursor.fetchone()[0])
        except psycopg2.Error as error:
            return str(error).strip()
        except TIMED_OUT:
            return "no answer within the deadline"


def log_in_by_hand(seen, password, clock):
    """Do what a driver would, up to the server's answer, worded as libpq words it."""
    host, port = seen["host"], seen["port"]
    try:
        connected, address = connect(host, port, clock)
    except Fail as error:
        raise Fail(error.kind, as_libpq(error, host, port)) from None
    where = 'connection to server at "{}" ({}), port {} failed: '.format(
        host, address.rpartition(":")[0], port
    )
    try:
        connected.settimeout(clock.left())
        session = pg_login.Session(connected, host, seen["sslmode"])
        session.log_in(seen["user"], seen["database"], password, OPTIONS)
    except pg_login.Refused as error:
        return refused(where + str(error), error.sqlstate)
    except pg_login.NotSent as error:
        raise Fail("not-permitted", where + str(error)) from None
    except TIMED_OUT:
        raise Fail("connect-timeout", where + "timeout expired") from None
    except OSError as error:
        raise Fail("database-error", where + str(error)) from None
    version = version_number(session.parameters.get("server_version", ""))
    return in_session(version, lambda query: by_hand(session, query), session.close)


def by_hand(session, query):
    """Return a query's one value as text, or the error."""
    try:
        return str(session.ask(query))
    except (pg_login.Refused, OSError) as error:
        return str(error)


def as_libpq(error, host, port):
    """Return the text that libpq has for a connection that does not come about."""
    if error.kind.startswith("dns"):
        reason = str(error).partition(": ")[2]
        return f'could not translate host name "{host}" to address: {reason}'
    reasons = {"connect-timeout": "timeout expired", "connect-refused": "Connection refused"}
    reason = reasons.get(error.kind) or str(error).rpartition(": ")[2]
    return f'connection to server at "{host}", port {port} failed: {reason}'


def version_number(text):
    """Return a server's version as libpq numbers it: 17.2 is 170002."""
    major, _, minor = text.partition(" ")[0].partition(".")
    return str(int(major) * 10000 + int(minor or 0)) if (major + minor).isdigit() else text


def login_kind(text):
    """Return the kind of failure that the driver's text tells of."""
    signs = (
        ("authentication failed", "auth-failed"),
        ("could not translate host name", "dns-nxdomain"),
        ("Connection refused", "connect-refused"),
        ("timeout expired", "connect-timeout"),
        ("timed out", "connect-timeout"),
        ("no pg_hba.conf entry", "auth-failed"),
    )
    return next((kind for sign, kind in signs if sign in text), "database-error")


def failure(error):
    """Return a Fail as JSON."""
    return {"kind": error.kind, "message": str(error)}


def site(url):
    """Return scheme and host of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


ASK = {
    "http": ask_http,
    "tcp": ask_tcp,
    "tls": ask_tls,
    "dns": ask_dns,
    "variables": ask_variables,
    "postgres": ask_postgres,
}


def answer(question):
    """Return the observation for one question; never raises."""
    clock, begun = Clock(float(question["deadline"])), time.time()
    try:
        seen = ASK[question["kind"]](question, clock)
    except Fail as error:
        seen = dict(identity(question), failure=failure(error))
    except Exception as error:
        text = f"the in-task probe failed with {type(error).__name__}"
        seen = dict(identity(question), failure={"kind": "internal-error", "message": text})
    took = round((time.monotonic() - clock.started) * 1000, 3)
    return dict(seen, kind=question["kind"], started=begun, duration_ms=took)


def identity(question):
    """Return the fields of a question that its observation has as well."""
    same = ("method", "url", "host", "name", "record", "user", "database")
    return {name: question[name] for name in same if name in question}


def overdue(question):
    """Return the observation of a question that has not ended by its deadline."""
    text = "no answer within {:g} s".format(question["deadline"])
    seen = dict(identity(question), kind=question["kind"])
    return dict(seen, failure={"kind": "read-timeout", "message": text})


def answers(questions):
    """Answer all questions at once, each within its own deadline."""
    found = [None] * len(questions)

    def work(index):
        found[index] = answer(questions[index])

    threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(len(questions))]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for index, thread in enumerate(threads):
        thread.join(max(0, begun + questions[index]["deadline"] + GRACE_S - time.monotonic()))
    return [found[index] or overdue(question) for index, question in enumerate(questions)]


def secrets():
    """Return the secret values of the task's variables, in every form they may be quoted in."""
    found = {value for name, value in os.environ.items() if SECRETS.search(name)}
    for value in os.environ.values():
        password = USER_INFO.search(value)
        if password:
            found |= {password.group(1), unquote(password.group(1))}
    found |= {quote(value, safe="") for value in found}
    found |= {json.dumps(value)[1:-1] for value in found}
    return sorted((value for value in found if len(value) >= SHORTEST), key=len, reverse=True)


def redacted(seen, values):
    """Return what was seen without ``values``, wherever they are."""
    if isinstance(seen, str):
        for value in values:
            seen = seen.replace(value, "[redacted]")
        return seen
    if isinstance(seen, dict):
        return {redacted(key, values): redacted(value, values) for key, value in seen.items()}
    if isinstance(seen, (list, tuple)):
        return [redacted(value, values) for value in seen]
    return seen


def main():
    """Answer what standard input asks."""
    document = json.load(sys.stdin)
    print(json.dumps({"answers": redacted(answers(document["questions"]), secrets())}))
    sys.stdout.flush()
    os._exit(0)  # a question that hangs must not keep the session open


if __name__ == "__main__":
    main()
