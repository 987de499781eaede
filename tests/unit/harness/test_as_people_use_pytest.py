"""pytest's own options do what people expect of them; a run says what it asks and waits for."""

from __future__ import annotations

import re

import pytest

from tests.unit.harness import servers
from tests.unit.harness.test_plugin import project, serve
from tests.unit.harness.test_waivers import WITHOUT

__all__ = ["project"]


def test_markers_and_options_are_told_without_an_environment(project: pytest.Pytester) -> None:
    told = project.runpytest_subprocess("--markers").stdout.str()
    for marker in ("p0", "p1", "p2", "p3", "symptom", "cause"):
        assert f"@pytest.mark.{marker}" in told
    told = project.runpytest_subprocess("--help").stdout.str()
    for option in ("--env", "--replay", "--validate", "--samples", "--missing"):
        assert f"  {option}" in told


def test_collecting_needs_no_environment_and_asks_nothing(project: pytest.Pytester) -> None:
    result = project.runpytest_subprocess("--collect-only", "-q", "-m", "p1")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["test_checks.py::test_health_is_fine", "*3/4 tests collected*"])
    assert not (project.path / "reports").exists()


def test_the_last_failed_are_run_again(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving, _ = serve(project, monkeypatch, b'{"status":"unhealthy"}')
    project.runpytest_subprocess("--env", "dev", "-k", "health")
    result = project.runpytest_subprocess("--env", "dev", "--lf")
    serving.__exit__(None, None, None)
    result.assert_outcomes(failed=1, passed=0)
    result.stdout.fnmatch_lines(["*rerun previous 1 failure*"])


def test_one_check_by_its_node_id(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving, _ = serve(project, monkeypatch, b'{"status":"healthy"}')
    result = project.runpytest_subprocess("--env", "dev", "test_checks.py::test_health_is_fine")
    serving.__exit__(None, None, None)
    assert result.ret == 0
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["hokusai: 1 probe asked at once: 1 from runner"])


@pytest.mark.parametrize("options", [(), ("-n", "2")])
def test_what_is_fixed_as_far_as_its_checks_ran_says_so(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    serving, _ = serve(project, monkeypatch, b'{"status":"healthy"}')
    result = project.runpytest_subprocess("--env", "dev", "-k", "health_answers", *options)
    serving.__exit__(None, None, None)
    result.stdout.fnmatch_lines(
        ["fixed * health-endpoints *1 passed*", "* that ran passed; 1 did not run *1 not run*"]
    )
    document = (project.path / "reports/dev/latest/handoff.md").read_text()
    assert "1 fixed (1 of them as far as its checks ran)" in document
    assert "0 not judged, 1 passed, 1 not run" in document


def test_what_is_waited_for_is_told_while_it_is(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.plugin.progress.FIRST_AFTER_S", 0.2)
    with servers.serving(servers.silent) as port:
        monkeypatch.setenv("HOKUSAI_REGISTRY_URL", f"http://127.0.0.1:{port}")
        result = project.runpytest_inprocess("--env", "dev", "-k", "health_answers", *WITHOUT)
    result.stdout.fnmatch_lines(
        [f"hokusai: waiting since ? s for GET http://127.0.0.1:{port}/health from runner"]
    )
    assert result.ret == 1


@pytest.mark.parametrize("coloured", [True, False])
def test_the_terminal_is_readable_at_80_columns_with_and_without_colour(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, coloured: bool
) -> None:
    serving, _ = serve(project, monkeypatch, b'{"status":"unhealthy"}')
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("PY_COLORS")
    monkeypatch.setenv("FORCE_COLOR" if coloured else "NO_COLOR", "1")
    monkeypatch.delenv("NO_COLOR" if coloured else "FORCE_COLOR", raising=False)
    shown = project.runpytest_subprocess("--env", "dev", "-k", "health", "--tb=no").stdout.str()
    serving.__exit__(None, None, None)
    assert ("\x1b[" in shown) is coloured
    plain = re.sub(r"\x1b\[[\d;]*m", "", shown)
    end = plain.partition("= documented failures =")[2].partition("= short test summary")[0]
    # A path may be longer: it is copied whole.
    wide = [line for line in end.splitlines() if len(line) > 80 and "reports/" not in line]
    assert not wide
    assert re.search(r"^(?:reproduced|changed) ", end, re.MULTILINE)
