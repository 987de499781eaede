"""Generated pages in a real browser, where Node.js, Allure and a browser are at hand."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.reports.allure import build, offline, tool

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
RESULT = {
    "uuid": "1",
    "name": "the one check",
    "fullName": "a#b",
    "historyId": "h",
    "status": "passed",
    "start": 1,
    "stop": 2,
    "labels": [],
}

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not (tool.ROOT / "node_modules" / ".installed").is_file(),
    reason="Allure is not set up: make report does it",
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> build.Built:
    run = tmp_path_factory.mktemp("reports") / "local" / "20260101T1"
    results = run / build.RESULTS
    results.mkdir(parents=True)
    (results / "1-result.json").write_text(json.dumps(RESULT))
    return build.build(run, "local")


def test_the_built_pages_name_no_other_host(built: build.Built) -> None:
    for page in (built.page, built.folder / "index.html"):
        text = page.read_text()
        assert offline.fetched(text) == []
        assert "googletagmanager" not in text


@pytest.mark.skipif(BROWSER is None, reason="no chromium on PATH")
def test_a_browser_shows_the_page_and_asks_no_other_host(
    built: build.Built, tmp_path: Path
) -> None:
    shown, asked = open_page(built.page, tmp_path)
    assert "the one check" in shown
    assert asked == []


@pytest.mark.skipif(BROWSER is None, reason="no chromium on PATH")
def test_the_browser_would_be_seen_asking(tmp_path: Path) -> None:
    page = tmp_path / "asking.html"
    page.write_text('<script src="http://analytics.invalid/a.js"></script>')
    assert open_page(page, tmp_path)[1] == ["http://analytics.invalid/a.js"]


def open_page(page: Path, folder: Path) -> tuple[str, list[str]]:
    """Return the page as the browser shows it, and what it asked other hosts for."""
    log = folder / "net.json"
    options = (
        "--headless --no-sandbox --disable-gpu --disable-background-networking "
        "--disable-component-update --virtual-time-budget=5000 --dump-dom "
        f"--user-data-dir={folder / 'profile'} --log-net-log={log}"
    )
    shown = subprocess.run(
        [str(BROWSER), *options.split(), page.as_uri()],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    events = json.loads(log.read_text(errors="replace"))["events"]
    asked = (event.get("params", {}) for event in events)
    # The browser's own housekeeping has no origin as its initiator.
    return shown.stdout, [
        each["url"]
        for each in asked
        if each.get("url", "").startswith("http")
        and each.get("initiator", "not an origin") != "not an origin"
    ]
