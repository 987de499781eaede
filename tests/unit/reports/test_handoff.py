"""The hand-off: what its reader is told, and that both renderings say it."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser as Events
from pathlib import Path

import msgspec
import pytest
from tinyhtml5.parser import HTMLParser

from harness.environment import Network, Tls, Vantage
from harness.observation import HttpObservation, Observation
from harness.redaction import Redactor
from harness.reports import handoff, run_json
from harness.reports.handoff import metrics, rendering
from harness.reports.handoff.model import HandOff, LinkState, Standing
from harness.verdicts import CheckResult, Status
from tests.unit.reports.handoff_sources import (
    CATALOGUE,
    CHECKS,
    GRAPH,
    LAYOUT,
    OBSERVATIONS,
    ROOT,
    check,
    sources,
)

HEALTHY = tuple(
    msgspec.structs.replace(each, status=Status.PASSED, sightings={}, finding=None, message="")
    for each in CHECKS
)


@pytest.fixture(scope="module")
def incident() -> HandOff:
    return handoff.build(sources())


def section(text: str, title: str) -> str:
    found = re.search(rf"^#+ {re.escape(title)}.*?\n(.*?)(?=^##? |\Z)", text, re.M | re.S)
    assert found, title
    return found[1]


def test_the_root_cause_leads_with_its_commands_and_the_proof(incident: HandOff) -> None:
    text = rendering.as_markdown(incident)
    assert text.index("## Root causes") < text.index("## Documented failures")
    causes = section(text, "Root causes")
    assert "Cause 1: Cloud Map has no private namespace hokusai.local" in causes
    assert "aws servicediscovery create-private-dns-namespace" in causes
    assert "make validate FAILURE=registry-api-outage ENV=prod" in causes
    assert "`cloud-map-has-the-service`" in causes


def test_hypotheses_are_confirmed_ruled_out_or_not_judged(incident: HandOff) -> None:
    outage = next(f for f in incident.failures if f.id == "registry-api-outage")
    standing = {y.text: y.standing for y in outage.hypotheses}
    assert standing == {
        "The API task has no way to MLflow.": Standing.CONFIRMED,
        "mlflow.hokusai.local does not resolve inside the network.": Standing.CONFIRMED,
        "The network between the services drops the traffic.": Standing.RULED_OUT,
    }
    registration = next(f for f in incident.failures if f.id == "service-discovery").hypotheses[1]
    assert registration.standing is Standing.NOT_JUDGED


def test_fixes_come_in_the_order_that_the_evidence_suggests(incident: HandOff) -> None:
    outage = next(f for f in incident.failures if f.id == "registry-api-outage")
    assert [(fix.text[:24], fix.standing) for fix in outage.fixes] == [
        ("Check that Cloud Map ser", Standing.CONFIRMED),
        ("If DNS stays broken, nam", Standing.CONFIRMED),
        ("Look at the MLflow servi", Standing.NOT_JUDGED),
        ("Let the security groups ", Standing.RULED_OUT),
    ]


def test_the_picture_marks_where_it_breaks(incident: HandOff) -> None:
    parts = {part.id: part for part in incident.picture.parts}
    links = {(link.start, link.end): link for link in incident.picture.links}
    assert (parts["discovery"].state, parts["discovery"].causes) == (LinkState.BROKEN, (1,))
    assert links["api", "mlflow"].state is LinkState.AFFECTED
    assert links["mlflow", "database"].state is LinkState.UNKNOWN
    assert "Cloud Map is broken" in rendering.as_html(incident)
    assert "Cloud Map (cause 1)" not in rendering.as_html(incident)
    assert "Cloud Map (cause 1)" in rendering.as_markdown(incident)


def test_every_check_that_the_picture_and_the_catalogue_name_exists() -> None:
    named = {
        id
        for failure in CATALOGUE.values()
        for item in failure.possible_causes
        for id in item.checks
    }
    named |= {id for f in CATALOGUE.values() for item in f.recommended_fixes for id in item.checks}
    drawn = {id for part in LAYOUT.parts.values() for id in part.checks}
    drawn |= {id for link in LAYOUT.links for id in link.checks}
    files = (ROOT / "tests" / "acceptance").rglob("test_*.py")
    functions = {
        name.replace("_", "-")
        for file in files
        for name in re.findall(r"^(?:async )?def test_(\w+)", file.read_text(), re.M)
    }
    assert {id for id in named | drawn if id.partition("[")[0] not in functions} == set()
    assert set(GRAPH.causes) - drawn == set(), "causes that the picture cannot show"


def test_steps_get_the_environments_addresses_and_its_way_into_a_task() -> None:
    settings = {
        "network": Network(connect_to=("registry.hokus.ai:443:127.0.0.1:8443",)),
        "tls": Tls(ca_bundle="/somewhere/ca.pem"),
        "vantage": Vantage(printed_as="suite"),
        "shell": "source lab.env",
    }
    built = handoff.build(sources(settings=settings))
    lines = {f.id: [command.line for command in f.reproduction] for f in built.failures}
    assert lines["registry-api-outage"][0].startswith(
        "curl --connect-to registry.hokus.ai:443:127.0.0.1:8443 "
        '--cacert "$HOKUSAI_TLS_CA_BUNDLE" -sS'
    )
    assert lines["service-discovery"][0] == (
        ".venv/bin/python -m harness.ecs_exec "
        "hokusai-development/hokusai-api-development/hokusai-api "
        "-- sh -c 'getent hosts mlflow.hokusai.local'"
    )
    assert built.shell == ("source lab.env",)


def test_without_a_command_of_its_own_a_task_is_entered_by_ecs_exec(incident: HandOff) -> None:
    discovery = next(f for f in incident.failures if f.id == "service-discovery")
    assert discovery.reproduction[0].line.startswith("aws ecs execute-command --cluster hokusai-")
    assert "--container hokusai-api --interactive" in discovery.reproduction[0].line
    assert incident.shell == (
        "export HOKUSAI_API_KEY=…",
        "export AWS_DEFAULT_REGION=us-east-1   # and credentials for aws",
    )
    assert incident.tools == ("aws", "curl", "session-manager-plugin")


def test_what_is_deployed_and_who_may_be_asked_is_told_as_far_as_it_is_known() -> None:
    settings = {"contacts": {"infrastructure": "#infrastructure"}}
    text = rendering.as_markdown(handoff.build(sources(settings=settings)))
    assert "`hokusai-api-development:7`" in text
    assert "| Ask: infrastructure | \\#infrastructure |" in text
    unasked = rendering.as_markdown(handoff.build(sources(observations=OBSERVATIONS[:3])))
    assert "Deployed revisions: not observed" in unasked
    assert "how to reach them is not configured" in unasked


def test_a_healthy_run_says_that_nothing_is_to_be_done() -> None:
    built = handoff.build(sources(HEALTHY))
    for text in (rendering.as_markdown(built), rendering.as_html(built)):
        assert "None: no cause check failed." in text
        assert "nothing that was checked is broken" in text
        assert "hypotheses" not in text
    assert built.summary == "of 3 documented failures: 3 fixed"


def test_a_failure_that_was_not_checked_is_named_as_such(incident: HandOff) -> None:
    told = " ".join(incident.not_judged_at_all)
    assert "8. The redirect to HTTPS breaks clients: not among the checks of this run" in told


def test_actions_are_due_when_their_most_pressing_failure_is(incident: HandOff) -> None:
    assert list(incident.actions) == ["now"]
    (action,) = incident.actions["now"]
    assert (action.cause, action.owner) == (1, "infrastructure")
    assert action.failures == ("registry-api-outage", "service-discovery")


def test_impact_is_told_only_where_it_was_observed(incident: HandOff) -> None:
    impact = {each.who: each.told for each in incident.impact}
    assert "no model can be registered" in impact["Business"][0].text
    assert impact["Data"] == ()


def test_a_failure_without_a_cause_is_an_action_of_its_own() -> None:
    alone = (check("a-key-is-accepted", Status.FAILED, "api-key-authentication", message="401"),)
    built = handoff.build(sources(alone))
    assert built.unexplained == ("api-key-authentication",)
    assert "No cause was found" in built.actions["24 hours"][0].text


class _Page(Events):
    """What a browser would fetch, and the ids and links of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.add(tag)
        self.fetched += [v for n in ("src", "data", "poster") if (v := given.get(n))]
        self.ids += [v for v in [given.get("id")] if v]
        target = given.get("href") or ""
        (self.links if target.startswith("#") else self.fetched).extend(filter(None, [target]))


def test_the_page_stands_alone_and_its_links_lead_somewhere(incident: HandOff) -> None:
    text = rendering.as_html(incident)
    page = _Page()
    page.feed(text)
    assert page.fetched == []
    assert not page.tags & {"script", "iframe", "link", "object", "img"}
    assert "@import" not in text
    assert set(re.findall(r"url\(([^)]*)\)", text)) <= {
        f"#tip-{s}" for s in ("broken", "affected", "unknown", "works")
    }
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


@pytest.mark.parametrize("checks", [CHECKS, HEALTHY], ids=["incident", "healthy"])
def test_the_page_is_valid_html(checks: tuple[CheckResult, ...]) -> None:
    parser = HTMLParser()
    parser.parse(rendering.as_html(handoff.build(sources(checks))))
    assert parser.errors == []


def test_what_was_observed_cannot_break_out_of_the_document() -> None:
    hostile = "<script>alert(1)</script> | `x` ```\n# title\n[l](http://x)"
    seen = (check("a", Status.FAILED, "registry-api-outage", message=hostile, probes=("proxy",)),)
    answer = HttpObservation(probe="proxy", label="GET x", url="x", status=500, body=hostile)
    built = handoff.build(sources(seen, (answer,)))
    assert "<script" not in rendering.as_html(built)
    text = rendering.as_markdown(built)
    fences = re.findall(r"^ *(`{3,})", text, re.M)
    assert "````" in fences
    assert len(fences) % 2 == 0
    outside = re.sub(r"^( *)(`{3,}).*?^ *\2$", "", text, flags=re.M | re.S)
    assert "<script" not in re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", outside).replace("\\<", "")
    assert "\n# title" not in outside


def test_no_secret_is_left_in_either_rendering(tmp_path: Path) -> None:
    secret = "pä'ss\"w<o>r&d%41+/="
    body = f"password {secret}, {html.escape(secret)}"
    seen = (check("a", Status.FAILED, "registry-api-outage", message=body, probes=("proxy",)),)
    answer = HttpObservation(probe="proxy", label="GET x", url="x", status=500, body=body)
    built = handoff.build(sources(seen, (answer,)))
    for path in handoff.write(tmp_path, built, Redactor([secret])):
        assert "w<o>r" not in path.read_text()
        assert "w&lt;o&gt;r" not in path.read_text()


def repeat(observation: Observation, status: int, took: float) -> Observation:
    assert isinstance(observation, HttpObservation)
    return msgspec.structs.replace(observation, status=status, body="", duration_ms=took)


def test_repeated_probes_give_a_failure_rate_and_latencies() -> None:
    proxy = OBSERVATIONS[0]
    samples = {
        "proxy": [repeat(proxy, 502, 30.0), repeat(proxy, 200, 40.0), repeat(proxy, 504, 50.0)]
    }
    built = handoff.build(sources(samples=samples), samples=4)
    row = next(m for m in built.metrics if m.failure == "registry-api-outage")
    assert (row.sampled_rate, row.samples, row.latency) == (75, 4, (30, 50, 50))
    assert "75 % of 4" in rendering.as_markdown(built)


def test_a_probe_that_passed_goes_wrong_when_its_answer_differs() -> None:
    health = OBSERVATIONS[2]
    samples = {"health": [repeat(health, 200, 1.0), repeat(health, 503, 1.0)]}
    built = handoff.build(sources(samples=samples), samples=3)
    row = next(m for m in built.metrics if m.failure == "health-endpoints")
    assert (row.sampled_rate, row.samples) == (33, 3)


@pytest.mark.parametrize(("share", "value"), [(0.5, 5), (0.95, 10), (0.99, 10), (0.0, 1)])
def test_percentiles_are_values_that_were_measured(share: float, value: int) -> None:
    assert metrics.percentile([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], share) == value


def test_every_section_that_the_documentation_names_is_there() -> None:
    incident = handoff.build(sources(waivers=("waived: ssl-tls, until 2999-01-01",)))
    rows = (ROOT / "docs" / "hand-off.md").read_text().splitlines()
    counterparts = [row.split("|")[2] for row in rows if row.startswith("| ")]
    named = {name for text in counterparts for name in re.findall(r"\*([A-Z][^*]+)\*", text)}
    assert {"Root causes", "Do next", "Prove it"} <= named
    html = rendering.as_html(incident).replace("Verdicts and metrics", "Metrics")
    assert {name for name in named if name not in html} == set()


def test_waivers_are_told_where_there_are_any(incident: HandOff) -> None:
    told = "waiver expired: ssl-tls, until 2025-08-06 (platform: known)"
    document = handoff.build(sources(waivers=(told,)))
    assert told in section(rendering.as_markdown(document), "Waivers")
    assert told in rendering.as_html(document)
    assert "Waivers" not in rendering.as_markdown(incident)
    assert "Waivers" not in rendering.as_html(incident)


def test_every_field_of_the_runs_result_is_documented() -> None:
    run = sources()
    written = run_json.as_document(run.facts, run.checks, run.judgements, run.diagnosis)
    fields = set(written)
    for part in ("verdicts", "checks", "root_causes"):
        fields |= {name for entry in written[part] for name in entry}
    documented = set(re.findall(r"[a-z_]+", (ROOT / "docs" / "run-json.md").read_text()))
    assert fields - documented == set()
