"""The doctor: everything that a run would lack is a line with what to do."""

from __future__ import annotations

from email.utils import formatdate
from pathlib import Path
from time import time

import pytest

from harness import doctor
from harness.commands import main
from harness.doctor import Line
from tests.unit.harness import servers


def examined(tmp_path: Path, **variables: str) -> dict[str, Line]:
    return {line.what: line for line in doctor.examine("dev", tmp_path / "reports", variables)}


def health(*headers: str) -> bytes:
    return servers.http_answer("200 OK", b"{}", *headers)


def test_a_machine_that_has_all_is_told_so(tmp_path: Path) -> None:
    with servers.serving(servers.answering(health(f"date: {formatdate(usegmt=True)}"))) as port:
        url = f"http://127.0.0.1:{port}"
        lines = examined(tmp_path, HOKUSAI_REGISTRY_URL=url, HOKUSAI_API_KEY="k" * 12)
    assert [each for each in lines.values() if not each.fine] == []
    assert lines[f"GET {url}/health from runner"].told.startswith("HTTP 200 in ")
    assert {"Python", "packages", "proxy", "environment", "API key", "report folder", "clock"} <= (
        set(lines)
    )


def test_what_lacks_comes_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("a file is in the way")
    wrong = formatdate(time() - 600, usegmt=True)
    with servers.serving(servers.answering(health(f"date: {wrong}"))) as port:
        lines = examined(
            tmp_path,
            HOKUSAI_REGISTRY_URL=f"http://127.0.0.1:{port}",
            HOKUSAI_REGISTRY_URI="http://x",
            HTTPS_PROXY="http://proxy",
        )
    lacking = {what: line.remedy for what, line in lines.items() if not line.fine}
    assert set(lacking) == {"API key", "variable HOKUSAI_REGISTRY_URI", "report folder", "clock"}
    assert "is HOKUSAI_REGISTRY_URL meant?" in lacking["variable HOKUSAI_REGISTRY_URI"]
    assert "timedatectl" in lacking["clock"]
    assert lines["clock"].told.startswith("60")
    assert lines["clock"].told.endswith(" s ahead of the registry's")
    assert "HTTPS_PROXY set" in lines["proxy"].told
    assert all(lacking.values())


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        (f"http://127.0.0.1:{servers.unused_port()}", "check the network, VPN and firewall"),
        ("http://nobody.invalid", "HOKUSAI_NETWORK_RESOLVER"),
    ],
)
def test_a_registry_that_is_not_reached(tmp_path: Path, url: str, remedy: str) -> None:
    nobody = f"127.0.0.1:{servers.unused_port()}"
    lines = examined(
        tmp_path,
        HOKUSAI_REGISTRY_URL=url,
        HOKUSAI_NETWORK_RESOLVER=nobody,
        HOKUSAI_LIMITS_DEADLINE="1",
    )
    assert remedy in lines[f"GET {url}/health from runner"].remedy


def test_the_command_says_how_much_there_is_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HOKUSAI_API_KEY", raising=False)
    with servers.serving(servers.answering(health())) as port:
        monkeypatch.setenv("HOKUSAI_REGISTRY_URL", f"http://127.0.0.1:{port}")
        code = main(["doctor", "--env", "dev", "--reports", str(tmp_path)])
        said = capsys.readouterr().out.splitlines()
        assert (code, said[-1]) == (1, "1 to do")
        assert "TODO API key: HOKUSAI_API_KEY is missing" in said
        monkeypatch.setenv("HOKUSAI_API_KEY", "k" * 12)
        assert main(["doctor", "--env", "dev", "--reports", str(tmp_path)]) == 0


def test_an_unknown_environment_is_one_message(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--env", "nope"]) == 4
    assert "unknown environment 'nope'" in capsys.readouterr().err
