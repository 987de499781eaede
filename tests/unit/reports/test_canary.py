"""Canaries: secrets with odd characters that a server throws back reach no file and no terminal."""

from __future__ import annotations

import base64
import html
import json
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from tests.unit.harness import servers

ROOT = Path(__file__).parents[3]
KEY = "hk_test_" + "k3y\"q'u%o+t/e=&<b>" + "z" * 8
PASSWORD = "pä§s \"w'o`r|d%41+/=&<i>\\n€"
CHECKS = """
import pytest
from harness import expect
from harness.plugin.declare import probe, symptom
from harness.specs import HttpProbe

@probe
def keyed(environment, form):
    return HttpProbe(url=environment.registry.url + "/ready", api_key=form, deadline=5)

@pytest.mark.p1
@pytest.mark.parametrize("form", ["x-api-key", "bearer", "query"])
@symptom("api-key-authentication", "key-demanded-despite-key")
def test_keyed(keyed, form):
    assert keyed.status == 200, keyed.body
"""


def spellings(secret: str) -> dict[str, bytes]:
    """How a secret may be written; each alone would give it away."""
    raw = secret.encode()
    texts = {
        "as it is": secret,
        "in a URL": quote(secret, safe=""),
        "in a URL, small hex": quote(secret, safe="").lower(),
        "in a form": quote_plus(secret),
        "in HTML": html.escape(secret),
        "in JSON": json.dumps(secret)[1:-1],
        "in JSON with unicode": json.dumps(secret, ensure_ascii=False)[1:-1],
        "in Python": repr(secret)[1:-1],
        "in base64": base64.b64encode(raw).decode(),
        "in base64 for URLs": base64.urlsafe_b64encode(raw).decode(),
        "as a basic credential": base64.b64encode(b"mlflow:" + raw).decode(),
        "within base64": base64.b64encode(b"ab" + raw + b"more").decode(),
    }
    return {how: text.encode() for how, text in texts.items()}


def found_in(content: bytes) -> list[str]:
    """Return how a secret is spelled in ``content``, if it is."""
    telling = {
        f"{name} {how}": spelled
        for name, secret in (("key", KEY), ("password", PASSWORD))
        for how, spelled in spellings(secret).items()
    }
    return [how for how, spelled in telling.items() if spelled in content]


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("HOKUSAI_API_KEY", KEY)
    monkeypatch.setenv("DB_PASSWORD", PASSWORD)
    pytester.makeini("[pytest]\naddopts = -p harness.plugin.hooks --strict-markers\n")
    pytester.makepyfile(test_checks=CHECKS)
    return pytester


# What a check, a library or the interpreter may do to give a secret away.
WAYS = {
    "samples": ("--samples", "2"),
    "workers": ("-n", "2"),
    "long tracebacks": ("--tb=long", "--full-trace", "-rA"),
    "metrics": ("--metrics=metrics.prom", "--junit=junit.xml"),
}


@pytest.mark.parametrize("way", WAYS)
def test_no_spelling_of_a_secret_is_in_the_runs_folder_or_on_the_terminal(
    way: str, project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = b"API key required: " + b" ; ".join(
        spelled for secret in (KEY, PASSWORD) for spelled in spellings(secret).values()
    )
    assert len(found_in(body)) == 2 * len(spellings(KEY)), "the canary sings"
    seen: list[bytes] = []
    with servers.serving(
        servers.answering(servers.http_answer("401 Unauthorized", body), seen)
    ) as port:
        monkeypatch.setenv("HOKUSAI_REGISTRY_URL", f"http://127.0.0.1:{port}")
        result = project.runpytest_subprocess("--env", "dev", "--showlocals", "-vv", *WAYS[way])
    assert result.ret == 1
    assert any(KEY.encode() in head for head in seen)
    assert found_in((result.stdout.str() + result.stderr.str()).encode()) == []
    assert {"handoff.html", "handoff.md", "run.json", "audit.jsonl"} <= set(written(project))
    assert {name: found for name, found in written(project).items() if found} == {}


def written(project: pytest.Pytester) -> dict[str, list[str]]:
    """Return every file that was written, and which secrets are in it."""
    made = [path for path in project.path.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return {path.name: found_in(path.read_bytes()) for path in made}


ENDS = {
    "an exception with the key in it": "raise RuntimeError(os.environ['HOKUSAI_API_KEY'])",
    "an assertion on the key": "assert os.environ['DB_PASSWORD'] == 'another'",
    "a warning": "warnings.warn(os.environ['HOKUSAI_API_KEY'])\n    assert False",
    "a log": "logging.getLogger().error(os.environ['HOKUSAI_API_KEY'])\n    assert False",
    "a print": "print(os.environ['HOKUSAI_API_KEY'])\n    assert False",
    "a stack that is dumped": "faulthandler.dump_traceback()\n    assert False",
    "a death": "faulthandler.enable()\n    os.abort()",
}


@pytest.mark.parametrize("end", ENDS)
def test_a_check_that_gives_a_secret_away_is_kept_from_it(
    end: str, project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.makepyfile(
        test_checks="import faulthandler, logging, os, warnings\n"
        + CHECKS.partition("@pytest.mark.p1")[0]
        + f"""
@pytest.mark.p1
@symptom("api-key-authentication")
def test_it():
    secret = os.environ["HOKUSAI_API_KEY"]
    {ENDS[end]}
"""
    )
    monkeypatch.setenv("HOKUSAI_REGISTRY_URL", f"http://127.0.0.1:{servers.unused_port()}")
    result = project.runpytest_subprocess("--env", "dev", "--showlocals", "-vv")
    assert result.ret != 0
    assert found_in((result.stdout.str() + result.stderr.str()).encode()) == []
    assert {name: found for name, found in written(project).items() if found} == {}
