"""Each run writes its hand-off: after a failure, when repeated, and from a record."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.harness import servers
from tests.unit.harness.test_plugin import CHECKS

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeini("[pytest]\naddopts = -p harness.plugin.hooks --strict-markers\n")
    pytester.makepyfile(test_checks=CHECKS)
    return pytester


def latest(project: pytest.Pytester) -> Path:
    return (project.path / "reports" / "dev" / "latest").resolve()


def test_a_run_names_its_hand_off_and_a_replay_writes_the_same(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []
    answer = servers.http_answer("200 OK", b'{"status":"unhealthy"}')
    with servers.serving(servers.answering(answer, seen)) as port:
        monkeypatch.setenv("HOKUSAI_REGISTRY_URL", f"http://127.0.0.1:{port}")
        result = project.runpytest_subprocess("--env", "dev", "-k", "health", "--samples", "4")
    result.stdout.fnmatch_lines(["*asking 1 probes 3 times more", "hand-off: reports/dev/*.html*"])
    assert len(seen) == 4
    first = latest(project)
    text = (first / "handoff.md").read_text()
    assert "reproduced" in text
    assert "100 % of 4" in text
    assert len((first / "observations.jsonl").read_text().splitlines()) == 1

    asked = "4 http from runner; refused by the guard: nothing"
    assert text.count(asked) == 1
    # Of the whole run: not beside each of the failures.
    assert (first / "handoff.html").read_text().count(asked) == 1

    record = first / "alone" / "observations.jsonl"
    record.parent.mkdir()
    record.write_bytes((first / "observations.jsonl").read_bytes())
    (record.parent / "samples.jsonl").write_bytes((first / "samples.jsonl").read_bytes())
    project.runpytest_subprocess("--env", "dev", "-k", "health", "--replay", str(record))
    again = (latest(project) / "handoff.md").read_text()
    assert "replayed from a record" in again
    assert "| Asked | not kept beside the record (`audit.jsonl`) |" in again
    here, since = "## Where it breaks", "## Since the previous run"
    assert (
        again[again.index(here) : again.index(since)] == text[text.index(here) : text.index(since)]
    )
    assert "no previous run of the same checks" in text
    # A record says nothing of the time at which it is judged again: it is compared with no run.
    assert "Nothing changed." not in again


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--samples", "0"), "*--samples: a number from 1 to 1000, not '0'*"),
        (("--samples", "2", "--replay", "x.jsonl"), "*a replay asks nothing: leave one out*"),
    ],
)
def test_samples_that_cannot_be_had_are_refused(
    project: pytest.Pytester, options: tuple[str, ...], told: str
) -> None:
    result = project.runpytest_subprocess("--env", "dev", *options)
    assert result.ret == 4
    result.stderr.fnmatch_lines([told])


def test_a_defect_of_the_document_does_not_cost_the_run_its_result(
    project: pytest.Pytester,
) -> None:
    project.makeconftest(
        """
        from harness.reports.handoff import rendering

        def broken(handoff):
            raise ValueError("hk_test_secret")

        rendering.as_html = broken
        """
    )
    result = project.runpytest_subprocess("--env", "dev", "-k", "inside")
    assert result.ret == 6
    result.stdout.fnmatch_lines(["hand-off: could not be written (ValueError at conftest.py:4)*"])
    assert "hk_test_secret" not in result.stdout.str() + result.stderr.str()
    assert (latest(project) / "run.json").exists()
