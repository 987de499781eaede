"""The Allure report: pages that ask nobody, a history that survives repeats, no Node.js."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from harness.commands import main
from harness.errors import UsageError
from harness.reports.allure import build as building
from harness.reports.allure import history, offline, tool

ANALYTICS = """<html><body>
<script async src="https://www.googletagmanager.com/gtag/js?id=G-1"></script>
<script>window.dataLayer = []; function gtag(){} gtag('js', new Date());</script>
<script>window.allure = {};</script>
</body></html>"""


def test_analytics_are_taken_out_and_the_pages_own_scripts_stay(tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    page.write_text(ANALYTICS)
    offline.take_out_analytics(page)
    assert "gtag" not in page.read_text()
    assert "window.allure = {}" in page.read_text()


def test_a_page_that_would_still_ask_another_host_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    page.write_text('<link rel="stylesheet" href="https://fonts.example/font.css">')
    with pytest.raises(UsageError, match=r"fonts\.example"):
        offline.take_out_analytics(page)


def run_folder(reports: Path, name: str) -> Path:
    folder = reports / "local" / name
    (folder / "allure-results").mkdir(parents=True)
    (folder / "allure-results" / "1-result.json").write_text("{}")
    (folder / "run.json").write_text(json.dumps({"schema": 1, "exit_code": 1}))
    return folder


def report(folder: Path) -> list[str]:
    """Do to the history what one report does; return the runs that Allure was shown."""
    copy = folder / "copy.jsonl"
    history.borrow(folder, copy)
    shown = [json.loads(line)["name"].split()[-1] for line in copy.read_text().splitlines()]
    with copy.open("a") as appended:
        name = history.point_name("local", folder.name)
        appended.write(json.dumps({"name": name, "testResults": {}}) + "\n")
    history.keep(folder, copy)
    return shown


def names(reports: Path) -> list[str]:
    lines = (reports / "local" / history.NAME).read_text().splitlines()
    return [json.loads(line)["name"].split()[-1] for line in lines]


def test_a_run_reported_late_or_again_is_in_the_history_once_and_in_order(tmp_path: Path) -> None:
    first, second = run_folder(tmp_path, "20260101T1"), run_folder(tmp_path, "20260101T2")
    report(second)
    assert report(first) == []
    assert report(second) == ["20260101T1"]
    assert names(tmp_path) == ["20260101T1", "20260101T2"]


def test_reports_built_in_parallel_lose_no_run(tmp_path: Path) -> None:
    folders = [run_folder(tmp_path, f"20260101T{n}") for n in range(8)]
    threads = [threading.Thread(target=report, args=(folder,)) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert names(tmp_path) == [folder.name for folder in folders]


def test_a_torn_line_in_the_history_is_passed_over(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, "20260101T1")
    (tmp_path / "local" / history.NAME).write_text('{"name": "local 2025')
    report(folder)
    assert names(tmp_path) == ["20260101T1"]


def test_without_node_one_line_says_so_and_the_runs_own_exit_code_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_folder(tmp_path, "20260101T1")

    def missing() -> tuple[str, ...]:
        raise tool.Unavailable("Node.js 20 or newer is missing")

    monkeypatch.setattr(tool, "prepare", missing)
    code = main(["report", "--env", "local", "--run", "20260101T1", "--reports", str(tmp_path)])
    said = capsys.readouterr().err.splitlines()
    assert code == 1
    assert len(said) == 1
    assert "Node.js 20 or newer is missing" in said[0]
    assert "handoff.html" in said[0]


def test_an_unknown_run_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["report", "--env", "local", "--run", "gone", "--reports", str(tmp_path)])
    assert code == 4
    assert "gone: no such run" in capsys.readouterr().err


def test_the_configuration_names_what_allure_must_tell_apart() -> None:
    found = building.settings("local", "20260101T1", Path("out"), Path("history"))
    told = " ".join(category["name"] for category in found["categories"])
    for word in ("reproduced", "changed", "Blocked", "Broken transport"):
        assert word in told
