"""`python -m harness test`: as pytest, with a second process that asks, and foresees."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from harness.apart import foresight
from tests.unit.harness import servers
from tests.unit.harness.test_plugin import CHECKS, KEY, ROOT, project, run_json, serve

__all__ = ["project"]

COMMAND = (sys.executable, "-m", "harness", "test", "--env", "dev")
HEALTH = ("test_checks.py", "-k", "health")
# The question is to be there while nothing has been collected.
WAITS = """
import os, pathlib, time
def pytest_collection(session):
    deadline = time.monotonic() + 10
    while os.environ.get("FORESEEN") and not pathlib.Path("asked").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
"""


def touching(asked: Path) -> Callable[[socket.socket], None]:
    """A server that is healthy, and leaves a file when it has been asked."""

    def answer(connection: socket.socket) -> None:
        servers.request_head(connection)
        asked.touch()
        connection.sendall(servers.http_answer("200 OK", b'{"status":"healthy"}'))

    return answer


def ahead(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return project.run(*COMMAND, *arguments)


def written(folder: Path) -> list[str]:
    """What a run wrote, whatever it was compared with."""
    names = [path.name.rpartition("-")[2] for path in folder.rglob("*") if path.is_file()]
    return sorted(name for name in names if name != "compare.json")


def kept(project: pytest.Pytester) -> list[Path]:
    return sorted((project.path / foresight.FOLDER).glob("*.json"))


def test_it_judges_and_reports_as_pytest_does(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving, seen = serve(project, monkeypatch, b'{"status":"unhealthy"}')
    plain = project.runpytest_subprocess("--env", "dev", *HEALTH)
    before = run_json(project)
    result = ahead(project, *HEALTH)
    serving.__exit__(None, None, None)
    assert (plain.ret, result.ret) == (1, 1)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["reproduced*health-endpoints*", "checks:*1 failed, 1 passed"])
    assert len(seen) == 2
    now = run_json(project)
    assert now["verdicts"] == before["verdicts"]
    folder = project.path / "reports" / "dev" / "latest"
    earlier = project.path / "reports" / "dev" / before["run"]
    assert written(folder) == written(earlier)
    assert "reproduced" in (folder / "handoff.md").read_text()


def test_a_replay_asks_nothing_and_says_the_same(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving, _ = serve(project, monkeypatch, b'{"status":"unhealthy"}')
    ahead(project, *HEALTH)
    serving.__exit__(None, None, None)
    first = run_json(project)
    record = (project.path / "reports" / "dev" / "latest").resolve()
    again = ahead(project, *HEALTH, f"--replay={record}")
    assert again.ret == 1
    assert run_json(project)["replayed"]
    assert run_json(project)["verdicts"] == first["verdicts"]
    document = (project.path / "reports" / "dev" / "latest" / "handoff.md").read_text()
    assert "reproduced" in document


def test_under_xdist_each_question_is_still_asked_once(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving, seen = serve(project, monkeypatch, b'{"status":"healthy"}')
    result = ahead(project, *HEALTH, "-n", "2")
    serving.__exit__(None, None, None)
    assert result.ret == 0
    assert len(seen) == 1


def test_the_second_time_it_asks_before_the_checks_are_collected(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.makeconftest(WAITS)
    with servers.serving(touching(project.path / "asked")) as port:
        monkeypatch.setenv("HOKUSAI_REGISTRY_URL", f"http://127.0.0.1:{port}")
        assert ahead(project, *HEALTH).ret == 0
        assert len(kept(project)) == 1
        (project.path / "asked").unlink()
        monkeypatch.setenv("FORESEEN", "yes")
        result = ahead(project, *HEALTH)
    assert result.ret == 0
    folder = project.path / "reports" / "dev" / "latest"
    assert len((folder / "observations.jsonl").read_text().splitlines()) == 1
    assert len((folder / "audit.jsonl").read_text().splitlines()) == 1
    assert len(list((project.path / "reports" / "dev").glob("2*"))) == 2


@pytest.mark.usefixtures("no_settings")
def test_variables_of_an_env_file_are_known_in_time(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("harness", "failures", "causes", "environments", "pytest.ini"):
        (pytester.path / name).symlink_to(ROOT / name)
    pytester.makeconftest((ROOT / "conftest.py").read_text() + WAITS)
    checks = pytester.mkdir("tests") / "acceptance"
    checks.mkdir()
    (checks / "test_checks.py").write_text(CHECKS)
    with servers.serving(touching(pytester.path / "asked")) as port:
        (pytester.path / ".env").write_text(f"HOKUSAI_REGISTRY_URL=http://127.0.0.1:{port}\n")
        assert ahead(pytester, "-k", "health").ret == 0
        (pytester.path / "asked").unlink()
        monkeypatch.setenv("FORESEEN", "yes")
        assert ahead(pytester, "-k", "health").ret == 0


@pytest.mark.parametrize("change", ["a check", "a setting", "an option", "the key is gone"])
def test_what_has_changed_is_not_foreseen(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setenv("HOKUSAI_API_KEY", KEY)
    serving, seen = serve(project, monkeypatch, b'{"status":"healthy"}')
    arguments = ["test_checks.py", "-k", "health or keyed"]
    assert ahead(project, *arguments).ret == 0
    asked = len(seen)
    match change:
        case "a check":
            text = (project.path / "test_checks.py").read_text()
            (project.path / "test_checks.py").write_text(text.replace("/ready", "/live"))
        case "a setting":
            monkeypatch.setenv("HOKUSAI_LIMITS_DEADLINE", "3")
        case "an option":
            arguments += ["--lf"]
        case _:
            monkeypatch.delenv("HOKUSAI_API_KEY")
    place = foresight.place_for([*COMMAND[4:], *arguments], os.environ)
    found = foresight.recall(place) if place else None
    result = ahead(project, *arguments)
    serving.__exit__(None, None, None)
    assert found is None
    without = change == "the key is gone"
    assert result.ret == (4 if without else 0)
    assert len(seen) == asked + (0 if without else 2)


def test_no_secret_is_kept_for_the_next_time(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOKUSAI_API_KEY", KEY)
    serving, _ = serve(project, monkeypatch, b"{}")
    ahead(project, "test_checks.py", "-k", "keyed")
    serving.__exit__(None, None, None)
    [path] = kept(project)
    assert b"/ready" in path.read_bytes()
    assert KEY.encode() not in path.read_bytes()
    # In a header that a check writes itself, it would be: such a command is asked as ever.
    text = (project.path / "test_checks.py").read_text()
    spoken = text.replace('"/ready", api_key="x-api-key"', f'"/ready", headers=(("x", "{KEY}"),)')
    (project.path / "test_checks.py").write_text(spoken)
    serving, _ = serve(project, monkeypatch, b"{}")
    ahead(project, "test_checks.py", "-k", "keyed")
    serving.__exit__(None, None, None)
    assert kept(project) == [path]


def test_what_cannot_be_read_of_the_settings_is_one_clear_message(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOKUSAI_TLS_CA_BUNDLE", "/nowhere.pem")
    monkeypatch.setenv("HOKUSAI_REGISTRY_URL", "http://127.0.0.1:1")
    result = ahead(project, *HEALTH)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*/nowhere.pem*"])
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


def test_when_the_other_process_is_gone_the_run_ends_and_says_so(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    with servers.serving(servers.silent) as silent:
        monkeypatch.setenv("HOKUSAI_REGISTRY_URL", f"http://127.0.0.1:{silent}")
        running = subprocess.Popen(
            [*COMMAND, *HEALTH], cwd=project.path, stdout=subprocess.PIPE, text=True
        )
        assert running.stdout is not None
        shown = iter(running.stdout.readline, "")
        assert any("asked at once" in line for line in shown)
        [other] = psutil.Process(running.pid).children()
        other.kill()
        rest = "".join(shown)
        running.stdout.close()
    assert running.wait(30) == 0, rest
    assert "blocked" in rest
    assert "the process that asks the probes has ended" in " ".join(rest.split())
    folder = project.path / "reports" / "dev" / "latest"
    assert "the process that asks the probes has ended" in (folder / "handoff.md").read_text()


def test_ctrl_c_while_pytest_is_loading_is_one_line(project: pytest.Pytester) -> None:
    starting = subprocess.Popen(
        [*COMMAND, *HEALTH], cwd=project.path, stderr=subprocess.PIPE, text=True
    )
    while not psutil.Process(starting.pid).children():
        assert starting.poll() is None
    while starting.poll() is None:
        # One that comes before the processes have parted is not heard.
        starting.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            starting.wait(0.1)
    assert starting.stderr is not None
    with starting.stderr as said:
        assert said.read() == "interrupted\n"
    assert starting.returncode == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_running(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    with servers.serving(servers.silent) as silent:
        monkeypatch.setenv("HOKUSAI_REGISTRY_URL", f"http://127.0.0.1:{silent}")
        running = subprocess.Popen(
            [*COMMAND, *HEALTH],
            cwd=project.path,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert running.stdout is not None
        assert any("asked at once" in line for line in iter(running.stdout.readline, ""))
        [other] = psutil.Process(running.pid).children()
        if number == signal.SIGINT:
            os.killpg(running.pid, number)  # as a terminal does
        else:
            running.send_signal(number)
        running.communicate(timeout=30)
        gone, _ = psutil.wait_procs([other], timeout=30)
    assert gone == [other]
    if number != signal.SIGKILL:
        assert running.returncode == pytest.ExitCode.INTERRUPTED
