"""Building the Allure report of one run: a folder, and the same as one self-contained page."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import UsageError
from harness.reports.allure import history, offline, tool

RESULTS, FOLDER, PAGE = "allure-results", "allure-report", "allure-report.html"
HAND_OFF = ("handoff.html", "handoff.md")
_CONFIGURATION = Path(__file__).with_name("allurerc.json")
_AWESOME = "@allurereport/plugin-awesome"


class Built(msgspec.Struct, frozen=True):
    """Where the report is: ``folder`` to be served, ``page`` to be opened or sent."""

    folder: Path
    page: Path


def build(run: Path, environment: str) -> Built:
    """Build the report of the run in the folder ``run``, and place it there.

    Raises UsageError if the run left no results, tool.Unavailable without Node.js or Allure.
    """
    results = run / RESULTS
    if not any(results.glob("*-result.json")):
        raise UsageError(f"{results}: no results of checks: run make test ENV={environment} first")
    command = tool.prepare()
    with tempfile.TemporaryDirectory(prefix=".allure-", dir=run) as made:
        work = Path(made)
        past = history.borrow(run, work / "history.jsonl")
        configuration = work / "allurerc.json"
        document = settings(environment, run.name, work / "out", past)
        document["globalAttachments"] = [str(run / name) for name in HAND_OFF]
        configuration.write_text(json.dumps(document, indent=2), encoding="utf-8")
        tool.run(command, "generate", "--config", str(configuration), str(results))
        history.keep(run, past)
        return _place(work / "out", run)


def settings(environment: str, run: str, output: Path, past: Path) -> dict[str, Any]:
    """Return Allure's configuration for one run."""
    common = json.loads(_CONFIGURATION.read_text(encoding="utf-8"))
    look = {
        **common.pop("look"),
        "reportName": f"Hokusai acceptance: {environment}",
    }
    return {
        **common,
        "name": history.point_name(environment, run),
        "output": str(output),
        "historyPath": str(past),
        "plugins": {
            "folder": {"import": _AWESOME, "options": look},
            "single": {"import": _AWESOME, "options": {**look, "singleFile": True}},
        },
    }


def _place(output: Path, run: Path) -> Built:
    built = Built(run / FOLDER, run / PAGE)
    for page in (output / "folder" / "index.html", output / "single" / "index.html"):
        offline.take_out_analytics(page)
    if built.folder.exists():
        shutil.rmtree(built.folder)
    (output / "folder").replace(built.folder)
    # The pages lead to the hand-off beside them.
    for document in filter(Path.is_file, (run / name for name in HAND_OFF)):
        shutil.copyfile(document, built.folder / document.name)
    (output / "single" / "index.html").replace(built.page)
    return built
