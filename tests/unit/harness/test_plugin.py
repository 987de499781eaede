"""The plugin end to end: a small project of checks against real servers on loopback."""

from __future__ import annotations

import json
import socket
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.harness import servers

ROOT = Path(__file__).parents[3]
CHECKS = '''
import pytest
from harness import expect
from harness.plugin.declare import probe, symptom
from harness.specs import HttpProbe, TcpProbe

@probe
def health(environment):
    """The registry's health."""
    return HttpProbe(url=environment.registry.url + "/health", deadline=2)

@probe
def keyed(environment):
    return HttpProbe(url=environment.registry.url + "/ready", api_key="x-api-key", deadline=2)

@probe
def inside(environment):
    return TcpProbe(vantage="task:api", host="mlflow.hokusai.local", port="5000")

@pytest.mark.p1
@symptom("health-endpoints", "unhealthy-while-serving")
def test_health_is_fine(health):
    """Health says healthy. And more."""
    assert expect.json_body(health)["status"] == "healthy", health.body

@pytest.mark.p1
@symptom("health-endpoints")
def test_health_answers(health):
    expect.status(health, 200)

@pytest.mark.p1
@symptom("api-key-authentication")
def test_keyed(keyed):
    expect.status(keyed, 200)

@pytest.mark.p0
@symptom("mlflow-internal-connectivity")
def test_inside(inside):
    expect.answered(inside)
'''
KEY = "hk_test_" + "z" * 20


@pytest.fixture
def project(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, no_settings: None
) -> pytest.Pytester:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeini("[pytest]\naddopts = -p harness.plugin.hooks --strict-markers\n")
    pytester.makepyfile(test_checks=CHECKS)
    return pytester


def run_json(project: pytest.Pytester) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(
        (project.path / "reports" / "dev" / "latest" / "run.json").read_text()
    )
    return loaded


def serve(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, body: bytes) -> Any:
    seen: list[bytes] = []
    serving = servers.serving(servers.answering(servers.http_answer("200 OK", body), seen))
    port = serving.__enter__()
    monkeypatch.setenv("HOKUSAI_REGISTRY_URL", f"http://127.0.0.1:{port}")
    return serving, seen


def test_a_run_judges_reports_and_asks_each_question_once(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving, seen = serve(project, monkeypatch, b'{"status":"unhealthy"}')
    result = project.runpytest_subprocess("--env", "dev", "-k", "health")
    serving.__exit__(None, None, None)
    assert result.ret == 1
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*reproduced*health-endpoints*", "checks:*1 failed, 1 passed"])
    assert len(seen) == 1
    (verdict,) = run_json(project)["verdicts"]
    assert verdict["verdict"] == "reproduced"
    assert verdict["sightings"][0]["signature"] == "unhealthy-while-serving"
    folder = project.path / "reports" / "dev" / "latest"
    assert (folder / "junit.xml").exists()
    assert list((folder / "allure-results").glob("*-result.json"))


def test_allure_is_told_of_fixtures_that_have_something_to_say_only(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixture = """
        @pytest.fixture
        def broken():
            raise OSError("no such device")

        @pytest.mark.p2
        @symptom("health-endpoints")
        def test_broken(broken):
            pass
        """
    project.makepyfile(test_a=CHECKS.partition("@pytest")[0] + textwrap.dedent(fixture))
    serving, _ = serve(project, monkeypatch, b'{"status":"healthy"}')
    project.runpytest_subprocess("--env", "dev", "-k", "health_answers or broken")
    serving.__exit__(None, None, None)
    folder = project.path / "reports" / "dev" / "latest" / "allure-results"
    told = [json.loads(path.read_text()) for path in folder.glob("*-container.json")]
    assert [before["name"] for each in told for before in each["befores"]] == ["broken"]
    assert "no such device" in told[0]["befores"][0]["statusDetails"]["message"]


def test_allure_has_the_exchange_and_the_command_that_repeats_it_in_one_file(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving, _ = serve(project, monkeypatch, b'{"status":"healthy"}')
    project.runpytest_subprocess("--env", "dev", "-k", "health_answers")
    serving.__exit__(None, None, None)
    folder = project.path / "reports" / "dev" / "latest" / "allure-results"
    [told] = [json.loads(path.read_text()) for path in folder.glob("*-result.json")]
    [step] = told["steps"]
    assert "-> HTTP 200" in step["name"]
    [attached] = step["attachments"]
    text = (folder / attached["source"]).read_text()
    assert "< 200" in text
    assert '{"status":"healthy"}' in text
    assert "/health" in text.partition("to ask the same again")[2].partition("curl ")[2]


def test_workers_of_xdist_share_one_observation(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving, seen = serve(project, monkeypatch, b'{"status":"healthy"}')
    result = project.runpytest_subprocess("--env", "dev", "-k", "health", "-n", "2")
    serving.__exit__(None, None, None)
    assert result.ret == 0
    assert len(seen) == 1
    assert [check["status"] for check in run_json(project)["checks"]] == ["passed", "passed"]
    folder = project.path / "reports" / "dev" / "latest"
    assert len((folder / "observations.jsonl").read_text().splitlines()) == 1


def test_a_setting_that_a_check_misses_while_it_judges_blocks_it(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = """
        @pytest.mark.p2
        @symptom("health-endpoints")
        def test_judged_by_a_setting(health, environment):
            assert health.body == environment.need("database.instance")
        """
    project.makepyfile(test_a=CHECKS.partition("@pytest")[0] + textwrap.dedent(check))
    serving, _ = serve(project, monkeypatch, b'{"status":"healthy"}')
    result = project.runpytest_subprocess("--env", "dev", "test_a.py")
    serving.__exit__(None, None, None)
    assert result.ret == 0
    [judged] = run_json(project)["checks"]
    assert judged["status"] == "blocked"
    assert "database.instance is not set" in judged["message"]
    result.stdout.fnmatch_lines(["to judge what was blocked: set HOKUSAI_DATABASE_INSTANCE, or*"])


def test_a_host_that_never_answers_holds_up_its_own_checks_only(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving, _ = serve(project, monkeypatch, b'{"status":"healthy"}')
    with servers.serving(servers.silent) as silent:
        checks = f"""
            @probe
            def never(environment):
                return HttpProbe(url="http://127.0.0.1:{silent}/", deadline=1)

            @pytest.mark.p0
            @symptom("health-endpoints")
            @pytest.mark.parametrize("n", range(3))
            def test_never(never, n):
                expect.status(never, 200)
            """
        project.makepyfile(test_a=CHECKS.partition("@probe")[0] + textwrap.dedent(checks))
        result = project.runpytest_subprocess("--env", "dev", "-v", "-k", "never or health")
    serving.__exit__(None, None, None)
    result.assert_outcomes(passed=2, failed=3)
    result.stdout.fnmatch_lines(
        ["*test_health_is_fine PASSED*", "*test_health_answers PASSED*"]
        + [f"*test_never[[]{n}[]] FAILED*" for n in range(3)]
    )


def test_a_check_is_judged_at_once_and_fixtures_go_when_the_next_one_is_of_another_module(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    did = project.path / "did.txt"
    module = """
        @pytest.fixture(scope="module", autouse=True)
        def kept():
            note("begin {name}")
            yield
            note("end {name}")

        @probe
        def slow(environment):
            return HttpProbe(url="http://127.0.0.1:{port}/", deadline=8)

        def note(line):
            with open("{did}", "a") as file:
                file.write(line + "\\n")

        @pytest.mark.p0
        @symptom("health-endpoints")
        def test_slow_of_{name}(slow):
            note("slow of {name}")
        """
    quick = """
        @pytest.mark.p0
        @symptom("health-endpoints")
        def test_quick(health):
            note("quick")
        """

    def after(line: str) -> Callable[[socket.socket], None]:
        def answer(connection: socket.socket) -> None:
            ends = time.monotonic() + 5
            while line not in (did.read_text() if did.exists() else ""):
                assert time.monotonic() < ends
                time.sleep(0.01)
            servers.answering(servers.http_answer("200 OK", b"{}"))(connection)

        return answer

    serving, _ = serve(project, monkeypatch, b'{"status":"healthy"}')
    head = CHECKS.partition("@pytest")[0]
    with (
        servers.serving(after("slow of b")) as for_a,
        servers.serving(after("quick")) as for_b,
    ):
        for name, port, more in (("a", for_a, textwrap.dedent(quick)), ("b", for_b, "")):
            told = textwrap.dedent(module).format(name=name, port=port, did=did)
            (project.path / f"test_{name}.py").write_text(head + more + told)
        result = project.runpytest_subprocess("--env", "dev", "test_a.py", "test_b.py")
    serving.__exit__(None, None, None)
    result.assert_outcomes(passed=3)
    assert did.read_text().splitlines() == [
        *("begin a", "quick", "end a"),
        *("begin b", "slow of b", "end b"),
        *("begin a", "slow of a", "end a"),
    ]


def test_what_cannot_be_judged_is_blocked_and_never_passes(project: pytest.Pytester) -> None:
    result = project.runpytest_subprocess("--env", "dev", "-k", "inside")
    assert result.ret == 6
    result.stdout.fnmatch_lines(["*blocked*mlflow-internal-connectivity*1 blocked*"])
    assert run_json(project)["verdicts"][0]["verdict"] == "blocked"


def test_a_missing_credential_ends_the_run_before_anything_is_sent(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving, seen = serve(project, monkeypatch, b"{}")
    result = project.runpytest_subprocess("--env", "dev")
    serving.__exit__(None, None, None)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*HOKUSAI_API_KEY is missing: export HOKUSAI_API_KEY=*"])
    assert "Traceback" not in result.stderr.str() + result.stdout.str()
    assert seen == []


def test_a_run_that_never_began_is_not_the_latest(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving, _ = serve(project, monkeypatch, b'{"status":"healthy"}')
    project.runpytest_subprocess("--env", "dev", "-k", "health")
    judged = run_json(project)["run"]
    assert project.runpytest_subprocess("--env", "dev", "-k", "keyed").ret == 4
    serving.__exit__(None, None, None)
    assert run_json(project)["run"] == judged


def test_reports_go_to_the_project_from_wherever_it_is_run(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving, _ = serve(project, monkeypatch, b'{"status":"healthy"}')
    elsewhere = project.mkdir("elsewhere")
    monkeypatch.chdir(elsewhere)
    project.runpytest_subprocess("--env", "dev", "-k", "health", project.path)
    serving.__exit__(None, None, None)
    assert run_json(project)["exit_code"] == 0
    assert list(elsewhere.iterdir()) == []


def test_with_missing_block_the_others_are_judged(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving, _ = serve(project, monkeypatch, b'{"status":"healthy"}')
    result = project.runpytest_subprocess("--env", "dev", "--missing", "block", "-k", "not inside")
    serving.__exit__(None, None, None)
    assert result.ret == 0
    statuses = {check["id"]: check["status"] for check in run_json(project)["checks"]}
    assert statuses == {"health-is-fine": "passed", "health-answers": "passed", "keyed": "blocked"}


def test_a_replay_needs_no_server_and_says_the_same(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving, _ = serve(project, monkeypatch, b'{"status":"unhealthy"}')
    project.runpytest_subprocess("--env", "dev", "-k", "health")
    serving.__exit__(None, None, None)
    first = run_json(project)
    record = (project.path / "reports" / "dev" / "latest" / "observations.jsonl").resolve()
    for given in (record, record.parent):
        project.runpytest_subprocess("--env", "dev", "-k", "health", f"--replay={given}")
        assert run_json(project)["run"] != first["run"]
        assert run_json(project)["verdicts"] == first["verdicts"]
        assert run_json(project)["replayed"]
    assert not (record.parent.parent / run_json(project)["run"] / "compare.json").exists()


def test_a_replay_can_answer_for_one_failure(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving, _ = serve(project, monkeypatch, b'{"status":"unhealthy"}')
    project.runpytest_subprocess("--env", "dev", "-k", "health")
    serving.__exit__(None, None, None)
    record = (project.path / "reports" / "dev" / "latest" / "observations.jsonl").resolve()
    options = ("--env", "dev", f"--replay={record}", "--validate", "health-endpoints")
    result = project.runpytest_subprocess(*options)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["STILL THERE: health-endpoints: with the same signature: *"])
    assert "note:" not in result.stdout.str()


def test_the_key_is_in_no_file_and_not_on_the_terminal(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOKUSAI_API_KEY", KEY)
    serving, seen = serve(project, monkeypatch, b'{"you sent": "' + KEY.encode() + b'"}')
    options = ("--env", "dev", "-k", "keyed or health", "--showlocals", "-vv")
    result = project.runpytest_subprocess(*options)
    serving.__exit__(None, None, None)
    assert any(KEY.encode() in head for head in seen)
    assert KEY not in result.stdout.str() + result.stderr.str()
    files = [path for path in (project.path / "reports").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--env", "prd"), "*unknown environment 'prd': environments/ has dev, local, prod*"),
        ((), "*choose the environment to test with --env NAME: dev, local, prod*"),
        (("--env", "dev", "--replay", "nowhere.jsonl"), "*nowhere.jsonl: cannot be read*"),
    ],
)
def test_bad_input_is_one_clear_message(
    project: pytest.Pytester, options: tuple[str, ...], told: str
) -> None:
    result = project.runpytest_subprocess(*options)
    assert result.ret == 4
    result.stderr.fnmatch_lines([told])
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


@pytest.mark.parametrize(
    ("marks", "told"),
    [
        ('@symptom("health-endpoints")', "*needs exactly one of p0, p1, p2, p3*"),
        ('@pytest.mark.p1\n@symptom("helth")', "*unknown failure id 'helth': failures/ has*"),
        ('@pytest.mark.p1\n@symptom("ssl-tls", "x")', "*'ssl-tls' has no signature 'x'*"),
    ],
)
def test_a_malformed_check_is_refused_at_collection(
    project: pytest.Pytester, marks: str, told: str
) -> None:
    project.makepyfile(
        test_checks=f"import pytest\nfrom harness.plugin.declare import symptom\n"
        f"{marks}\ndef test_it(): pass\n"
    )
    result = project.runpytest_subprocess("--env", "dev")
    assert result.ret == 4
    result.stderr.fnmatch_lines([told])


def test_an_interrupt_that_python_loses_ends_the_run_all_the_same(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a finalizer a KeyboardInterrupt is only printed; what was judged before is kept."""
    lost = """
import os, signal

class Finalized:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)

@pytest.mark.p1
@symptom("health-endpoints")
def test_a_finalizer_is_interrupted(health):
    Finalized()
"""
    with servers.serving(servers.answering(servers.http_answer("200 OK", b"{}"))) as port:
        monkeypatch.setenv("HOKUSAI_REGISTRY_URL", f"http://127.0.0.1:{port}")
        project.makepyfile(test_checks=CHECKS.partition("@pytest.mark.p1")[0] + lost + '''
@pytest.mark.p1
@symptom("health-endpoints")
def test_that_never_comes(health):
    assert False
''')  # fmt: skip
        result = project.runpytest_subprocess("--env", "dev", "--missing", "block")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert [check["id"] for check in run_json(project)["checks"]] == ["a-finalizer-is-interrupted"]
