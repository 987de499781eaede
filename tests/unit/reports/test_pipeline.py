"""What a pipeline's page and Prometheus are told."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness import diagnosis
from harness.errors import UsageError
from harness.reports import handoff, metrics, pipeline
from harness.reports.handoff import rendering
from harness.verdicts import judge
from tests.unit.reports.handoff_sources import CATALOGUE, CHECKS, GRAPH, OBSERVATIONS, sources

FOUND = diagnosis.diagnose(GRAPH, CHECKS, judge(CATALOGUE, CHECKS), "prod").root_causes


def test_annotations_are_for_root_causes_and_for_workflows_only() -> None:
    lines = list(pipeline.errors(FOUND, {"GITHUB_ACTIONS": "true"}))
    assert len(lines) == len(FOUND) > 0
    assert lines[0].startswith("::error title=Root cause 1::Cloud Map has no private namespace")
    assert "aws servicediscovery" in lines[0]
    assert list(pipeline.errors(FOUND, {})) == []


def test_an_annotation_cannot_break_out_of_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    pipeline.tell_end("100 %\n::error::injected", {"GITHUB_ACTIONS": "true"})
    said = capsys.readouterr().out.splitlines()
    assert said == ["", "::error title=Gate::100 %25%0A::error::injected"]


def test_the_summary_is_added_to_the_page(tmp_path: Path) -> None:
    page = tmp_path / "summary.md"
    page.write_text("before\n")
    text = rendering.as_summary(handoff.build(sources()), "GATE FAILED")
    pipeline.summarise(text, {"GITHUB_STEP_SUMMARY": str(page)})
    written = page.read_text()
    assert written.startswith("before\n## prod: ")
    for part in ("GATE FAILED", "| **reproduced** | p0 |", "### Root causes", "```mermaid"):
        assert part in written
    assert pipeline.is_asked_for({}) is False


def test_metrics_can_be_read_and_say_one_verdict_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "metrics.prom"
    metrics.write(path, "prod", 1.5, (judge(CATALOGUE, CHECKS), CHECKS), OBSERVATIONS)
    families = {each.name: each for each in text_string_to_metric_families(path.read_text())}
    verdicts = families["hokusai_acceptance_verdict"].samples
    on = {s.labels["failure"]: s.labels["verdict"] for s in verdicts if s.value == 1}
    assert on["registry-api-outage"] == "reproduced"
    assert on["health-endpoints"] == "fixed"
    assert len(on) == len({s.labels["failure"] for s in verdicts})
    seconds = families["hokusai_acceptance_probe_seconds"].samples
    assert 0.02 in [sample.value for sample in seconds]
    assert families["hokusai_acceptance_run_ended_timestamp_seconds"].samples[0].value == 1.5


def test_metrics_that_cannot_be_written_are_one_message(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--metrics .*cannot be written"):
        metrics.write(tmp_path / "none" / "m.prom", "prod", 0.0, ((), ()), ())
