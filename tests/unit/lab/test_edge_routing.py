"""Rules, redirects and fixed responses of the load balancer replica."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.edge import Edge
from lab.edge.matching import Request, holds
from lab.edge.model import (
    Condition,
    FixedResponse,
    HostHeader,
    HttpHeader,
    HttpRequestMethod,
    PathPattern,
    QueryString,
    Redirect,
    Rule,
    SourceIp,
)
from tests.unit.lab.edge_bench import FORWARD, PACE, Control, ask, echo_target, until

ADDRESS, TARGET, OTHER = "127.250.10.1", "127.250.10.2", "127.250.10.3"

REQUEST = Request(
    method="GET",
    host="Registry.hokus.ai",
    path="/api/mlflow/Search",
    query="max_results=1&Api_Key=x",
    source="127.0.0.1",
    headers=(("x-api-key", "hk_test_1"), ("accept", "text/html"), ("accept", "text/plain")),
)


@pytest.mark.parametrize(
    ("condition", "met"),
    [
        (PathPattern(("/api/*",)), True),
        (PathPattern(("/api/mlflow/?earch",)), True),
        (PathPattern(("/API/*",)), False),
        (PathPattern(("/api",)), False),
        (PathPattern(("/nothing", "/api/*Search")), True),
        (PathPattern(("/api/mlflow/[S]earch",)), False),
        (HostHeader(("*.HOKUS.ai",)), True),
        (HostHeader(("hokus.ai",)), False),
        (HttpHeader("X-API-Key", ("hk_*",)), True),
        (HttpHeader("Accept", ("TEXT/PLAIN",)), True),
        (HttpHeader("X-Other", ("*",)), False),
        (HttpRequestMethod(("POST", "GET")), True),
        (HttpRequestMethod(("get",)), False),
        (QueryString((("api_key", "x"),)), True),
        (QueryString(((None, "1"),)), True),
        (QueryString((("max_results", "2"),)), False),
        (SourceIp(("127.0.0.0/8",)), True),
        (SourceIp(("10.0.0.0/8",)), False),
    ],
)
def test_a_condition_is_met_as_aws_matches_it(condition: Condition, met: bool) -> None:
    assert holds(condition, REQUEST) is met


@pytest.fixture
def control() -> Control:
    return Control()


@pytest.fixture
def edge(control: Control, tmp_path: Path) -> Iterator[Edge]:
    control.listen(ADDRESS)
    running = Edge(control, access_log=tmp_path / "access.log", pace=PACE)
    running.start()
    yield running
    running.stop()


def redirect(control: Control, edge: Edge, action: Redirect) -> None:
    control.listen(ADDRESS, default=action)
    edge.sync()


@pytest.mark.parametrize(
    ("action", "location"),
    [
        (Redirect(301, "HTTPS", "443"), "https://registry.hokus.ai:443/api/health?a=1&b=%20"),
        (Redirect(302, "HTTPS", "443", host="lb.test"), "https://lb.test:443/api/health?a=1&b=%20"),
        (
            Redirect(301, path="/new/#{path}", query=""),
            "http://registry.hokus.ai:80/new/api/health",
        ),
        (
            Redirect(301, query="#{query}&x=1"),
            "http://registry.hokus.ai:80/api/health?a=1&b=%20&x=1",
        ),
    ],
)
def test_a_redirect_fills_its_placeholders(
    control: Control, edge: Edge, action: Redirect, location: str
) -> None:
    redirect(control, edge, action)
    reply = ask(ADDRESS, "/api/health?a=1&b=%20", host="registry.hokus.ai:8080")
    assert reply.status == action.status_code
    assert reply.headers["Location"] == location
    assert reply.headers["Server"] == "awselb/2.0"


def test_a_redirect_is_followed_by_a_post_with_a_body(control: Control, edge: Edge) -> None:
    redirect(control, edge, Redirect(301, "HTTPS", "443"))
    reply = ask(ADDRESS, method="POST", body=b"x" * 300_000)
    assert reply.status == 301


def test_a_fixed_response_is_the_load_balancers_own(edge: Edge) -> None:
    reply = ask(ADDRESS, "/nowhere")
    assert (reply.status, reply.body) == (404, b"Not Found")
    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert reply.headers["Server"] == "awselb/2.0"


def test_a_head_request_gets_no_body(edge: Edge) -> None:
    reply = ask(ADDRESS, "/nowhere", method="HEAD")
    assert (reply.status, reply.body) == (404, b"")


def test_rules_are_tried_in_their_order_and_changes_count_at_once(
    control: Control, edge: Edge
) -> None:
    first = Rule("r1", 1, (PathPattern(("/api/mlflow/*",)),), FixedResponse(418))
    second = Rule("r2", 2, (PathPattern(("/api/*",)),), FixedResponse(410))
    control.listen(ADDRESS, first, second)
    statuses = [ask(ADDRESS, path).status for path in ("/api/mlflow/x", "/api/x", "/x")]
    assert statuses == [418, 410, 404]
    control.listen(ADDRESS, second, first)
    assert ask(ADDRESS, "/api/mlflow/x").status == 410


def test_a_request_is_passed_on_as_it_is(control: Control, edge: Edge) -> None:
    control.listen(ADDRESS, default=FORWARD)
    with echo_target(TARGET) as target:
        control.register(target)
        until(lambda: ask(ADDRESS).status == 200)
        reply = ask(
            ADDRESS, "/api/a%2Fb?q=1", headers={"X-API-Key": "k", "X-Forwarded-For": "10.1.1.1"}
        )
    seen = reply.json()
    assert (seen["method"], seen["path"], seen["from"]) == ("GET", "/api/a%2Fb?q=1", ADDRESS)
    assert seen["headers"]["host"] == "registry.hokus.ai"
    assert seen["headers"]["x-api-key"] == "k"
    assert seen["headers"]["x-forwarded-for"] == "10.1.1.1, 127.0.0.1"
    assert seen["headers"]["x-forwarded-proto"] == "http"
    assert seen["headers"]["x-forwarded-port"] == "80"
    assert seen["headers"]["x-amzn-trace-id"].startswith("Root=1-")
    assert reply.headers["X-Target"] == "echo"
    assert "awselb" not in reply.headers["Server"]


def test_targets_take_turns(control: Control, edge: Edge) -> None:
    control.listen(ADDRESS, default=FORWARD)
    with echo_target(TARGET) as one, echo_target(OTHER) as two:
        control.register(one, two)
        until(
            lambda: (
                [each.state for each in edge.target_health(FORWARD.target_groups[0][0])]
                == ["healthy"] * 2
            )
        )
        assert {ask(ADDRESS).json()["at"] for _ in range(4)} == {TARGET, OTHER}
