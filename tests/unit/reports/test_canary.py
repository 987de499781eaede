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


def test_no_spelling_of_a_secret_is_in_the_runs_folder_or_on_the_terminal(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
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
        result = project.runpytest_subprocess(
            "--env", "dev", "--showlocals", "-vv", "--samples", "2"
        )
    assert result.ret == 1
    assert any(KEY.encode() in head for head in seen)
    assert found_in((result.stdout.str() + result.stderr.str()).encode()) == []
    folder = project.path / "reports" / "dev" / "latest"
    files = {path.name: path for path in folder.rglob("*") if path.is_file()}
    assert {"handoff.html", "handoff.md", "run.json", "samples.jsonl", "junit.xml"} <= set(files)
    assert {name: found_in(path.read_bytes()) for name, path in files.items()} == {
        key: [] for key in files
    }
