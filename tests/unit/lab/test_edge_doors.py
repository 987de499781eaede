"""Listeners as sockets: opened, closed, filtered, encrypted; and the access log."""

from __future__ import annotations

import re
import shlex
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.edge import Edge, admission, bound_port, doors
from lab.edge.model import FixedResponse, Redirect
from lab.pki import Authority
from tests.unit.lab.edge_bench import (
    BALANCER,
    FORWARD,
    GROUP,
    NOT_FOUND,
    PACE,
    Control,
    ask,
    echo_target,
    until,
)

ADDRESS, TARGET = "127.250.13.1", "127.250.13.2"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def trust(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.bundle.decode())


@pytest.fixture
def control() -> Control:
    made = Control()
    made.listen(ADDRESS)
    return made


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


@pytest.fixture
def edge(control: Control, log: Path) -> Iterator[Edge]:
    running = Edge(control, access_log=log, pace=PACE)
    running.start()
    yield running
    running.stop()


def connects(source: str | None = None, port: int = 8080) -> str:
    """`open`, `refused` or `timeout`, as a client at this source address sees it."""
    try:
        socket.create_connection(
            (ADDRESS, port), timeout=0.15, source_address=(source, 0) if source else None
        ).close()
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "timeout"
    return "open"


def test_aws_ports_stand_for_loopback_ports() -> None:
    assert [bound_port(port) for port in (80, 443, 81, 8000)] == [8080, 8443, 8081, 8000]


def test_without_a_listener_the_port_refuses(control: Control, edge: Edge) -> None:
    assert connects() == "open"
    assert connects(port=8443) == "refused"
    control.balancers.clear()
    edge.sync()
    assert connects() == "refused"


def test_a_listener_made_later_opens_by_itself(control: Control, edge: Edge) -> None:
    control.listen(ADDRESS, port=8000)
    until(lambda: connects(port=8000) == "open")


@pytest.fixture(params=["filter", "signature"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways in which a socket ignores sources; a system may allow only one of them."""

    def forbidden(*_: object) -> None:
        raise PermissionError

    with socket.socket() as probe:
        if request.param == "signature":
            monkeypatch.setattr(admission.Gate, "_filter", forbidden)
        else:
            monkeypatch.setattr(admission.Gate, "_ignore", forbidden)
        try:
            admission.Gate(probe).admit(())
        except OSError as error:
            pytest.skip(f"this system does not allow it: {error}")


@pytest.mark.usefixtures("way")
def test_sources_that_are_not_admitted_time_out_until_they_are(
    control: Control, edge: Edge
) -> None:
    for ingress, seen in [
        ((), "timeout"),
        (("10.0.0.0/8", "127.250.0.0/16"), "timeout"),
        (("127.0.0.1/32",), "open"),
        (("0.0.0.0/0",), "open"),
        ((), "timeout"),
    ]:
        control.listen(ADDRESS, ingress=ingress)
        edge.sync()
        assert connects() == seen, ingress


@pytest.mark.usefixtures("way")
def test_a_rule_may_admit_the_vpc_and_not_the_internet(control: Control, edge: Edge) -> None:
    control.listen(ADDRESS, ingress=("127.250.0.0/16",))
    edge.sync()
    assert connects("127.250.13.77") == "open"
    assert connects("127.249.13.77") == "timeout"
    assert ask_from("127.250.13.77").startswith(b"HTTP/1.1 404")


def ask_from(source: str) -> bytes:
    with socket.create_connection((ADDRESS, 8080), 1, (source, 0)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        return client.recv(1000)


def test_where_sockets_cannot_choose_nobody_gets_in(
    control: Control, edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors, "_told", lambda *_: False)
    control.listen(ADDRESS, ingress=())
    edge.sync()
    assert connects() == "timeout"
    control.listen(ADDRESS)
    edge.sync()
    assert connects() == "open"


def test_a_taken_address_is_an_error_at_start(control: Control, tmp_path: Path) -> None:
    with socket.create_server((ADDRESS, 8080)), pytest.raises(OSError, match="in use"):
        Edge(control, access_log=tmp_path / "log", pace=PACE).start()


def test_stopping_drops_kept_connections_and_frees_the_port(control: Control, log: Path) -> None:
    edge = Edge(control, access_log=log, pace=PACE)
    edge.start()
    with socket.create_connection((ADDRESS, 8080), timeout=1) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 404")
        begun = time.monotonic()
        edge.stop()
        edge.stop()
        assert time.monotonic() - begun < 1
        assert client.recv(1000) == b""
    assert connects() == "refused"


def test_the_certificate_follows_the_listeners_reference(
    control: Control, edge: Edge, authority: Authority, trust: ssl.SSLContext
) -> None:
    control.certificates["arn:public"] = authority.public()
    control.listen(ADDRESS, port=443, protocol="HTTPS", certificates=("arn:public",))
    edge.sync()
    assert ask(ADDRESS, port=8443, trust=trust).status == 404
    control.certificates["arn:public"] = authority.expired()
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        ask(ADDRESS, port=8443, trust=trust)
    control.certificates.clear()
    with pytest.raises(ssl.SSLError):
        ask(ADDRESS, port=8443, trust=trust)


def test_further_certificates_are_chosen_by_name(
    control: Control, edge: Edge, authority: Authority, trust: ssl.SSLContext
) -> None:
    control.certificates = {"a": authority.public(), "b": authority.issue("*.other.test")}
    control.listen(ADDRESS, port=443, protocol="HTTPS", certificates=("a", "b"))
    edge.sync()
    for host in ("registry.hokus.ai", "x.other.test"):
        assert ask(ADDRESS, port=8443, trust=trust, host=host).status == 404
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        ask(ADDRESS, port=8443, trust=trust, host="unknown.test")


def fields(log: Path, number: int = -1) -> list[str]:
    until(lambda: log.exists() and len(log.read_text().splitlines()) >= 1)
    return shlex.split(log.read_text().splitlines()[number])


def test_the_access_log_tells_a_forwarded_request(
    control: Control, edge: Edge, log: Path, authority: Authority, trust: ssl.SSLContext
) -> None:
    control.certificates["arn:public"] = authority.public()
    control.listen(
        ADDRESS, port=443, protocol="HTTPS", certificates=("arn:public",), default=FORWARD
    )
    with echo_target(TARGET) as target:
        control.register(target)
        until(lambda: [each.state for each in edge.target_health(GROUP)] == ["healthy"])
        ask(ADDRESS, "/a?b=1", port=8443, trust=trust, headers={"User-Agent": 'curl "x"'})
    line = fields(log)
    assert len(line) == 30
    assert line[0] == "https"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line[1])
    assert line[2] == "app/registry/0123"
    assert line[3].startswith("127.0.0.1:")
    assert line[4] == f"{TARGET}:8001"
    assert all(re.fullmatch(r"\d\.\d{3}", each) for each in line[5:8])
    assert line[8:10] == ["200", "200"]
    assert int(line[10]) > 50
    assert int(line[11]) > 100
    assert line[12] == "GET https://registry.hokus.ai:443/a?b=1 HTTP/1.1"
    assert line[13] == "curl \\x22x\\x22"
    assert line[15] == "TLSv1.3"
    assert line[16] == GROUP
    assert line[18:21] == ["registry.hokus.ai", "arn:public", "0"]
    assert line[22] == "forward"
    assert line[25:27] == [f"{TARGET}:8001", "200"]


def test_the_access_log_tells_a_bad_gateway(control: Control, edge: Edge, log: Path) -> None:
    with echo_target(TARGET) as target:
        control.listen(ADDRESS, default=FORWARD)
        control.register(target)
        until(lambda: [each.state for each in edge.target_health(GROUP)] == ["healthy"])
    assert ask(ADDRESS).status == 502
    line = fields(log)
    assert line[0] == "http"
    assert line[4:10] == [f"{TARGET}:8001", "-1", "-1", "-1", "502", "-"]


def test_the_access_log_tells_redirects_and_fixed_responses(
    control: Control, edge: Edge, log: Path
) -> None:
    ask(ADDRESS)
    control.listen(ADDRESS, default=Redirect(301, "HTTPS", "443"))
    ask(ADDRESS, "/x")
    assert fields(log, 0)[22] == "fixed-response"
    until(lambda: len(log.read_text().splitlines()) == 2)
    assert fields(log)[22:24] == ["redirect", "https://registry.hokus.ai:443/x"]


def test_a_client_that_leaves_is_logged_as_such(
    control: Control, edge: Edge, log: Path, authority: Authority, trust: ssl.SSLContext
) -> None:
    control.certificates["arn:public"] = authority.public()
    control.listen(
        ADDRESS, port=443, protocol="HTTPS", certificates=("arn:public",), default=FORWARD
    )
    with echo_target(TARGET) as target:
        control.register(target)
        until(lambda: [each.state for each in edge.target_health(GROUP)] == ["healthy"])
        control.blocked.add(8001)
        with pytest.raises(TimeoutError):
            ask(ADDRESS, port=8443, trust=trust, timeout=0.05)
    assert fields(log)[8] == "460"


def test_a_deleted_listener_is_gone_for_kept_connections_too(control: Control, edge: Edge) -> None:
    assert BALANCER in control.balancers
    with socket.create_connection((ADDRESS, 8080), timeout=1) as client:
        control.listen(ADDRESS, default=FixedResponse(410))
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 410")
        control.balancers.clear()
        edge.sync()
        assert client.recv(1000) == b""
    assert NOT_FOUND.status_code == 404
