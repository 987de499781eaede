"""``python -m harness report``: build a run's Allure report, and show it."""

from __future__ import annotations

import argparse
import functools
import sys
import webbrowser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from harness import exit_codes
from harness.errors import UsageError
from harness.reports import history
from harness.reports.allure import tool
from harness.reports.allure.build import build


def add(commands: Any) -> None:
    """Add the command to those of ``python -m harness``."""
    made: argparse.ArgumentParser = commands.add_parser(
        "report", help="build the Allure report of a run"
    )
    made.add_argument("--env", required=True, metavar="NAME", help="the environment")
    made.add_argument(
        "--run", dest="run_id", default="latest", metavar="ID", help="the run (the latest)"
    )
    made.add_argument("--reports", default=Path("reports"), type=Path, metavar="FOLDER")
    made.add_argument("--serve", action="store_true", help="serve it until Ctrl-C, and open it")
    made.set_defaults(run=show)


def show(given: argparse.Namespace) -> int:
    """Build the report and say where it is.

    Returns 0, or, without Node.js or Allure, the run's own exit code: a missing viewer neither
    fails a good run nor hides a bad one. Raises UsageError.
    """
    folder = _folder_of(given.reports, given.env, given.run_id)
    try:
        built = build(folder, given.env)
    except tool.Unavailable as error:
        print(f"report: {error}; the hand-off is {folder / 'handoff.html'}", file=sys.stderr)
        return int(history.load(folder)["exit_code"])
    print(f"report: {built.page}  (one page, to open or to send)")
    print(f"report: {built.folder}/  (the same as a folder, to be served)")
    if given.serve:
        _serve(built.folder)
    return exit_codes.PASSED


def _folder_of(reports: Path, environment: str, run: str) -> Path:
    # The run's id is given at times as a path, by whoever completes it with the tab key.
    folder = reports / environment / Path(run).name
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such run; make test ENV={environment} makes one")
    return folder.parent / folder.resolve().name


def _serve(folder: Path) -> None:
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        address = f"http://127.0.0.1:{server.server_port}/"
        print(f"report: {address}  (Ctrl-C ends)", flush=True)
        webbrowser.open(address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Keep requests off the terminal."""
