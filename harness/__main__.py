"""``python -m harness``: one command, or a test run with a head start."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    if sys.argv[1:2] == ["test"]:
        # What the other commands need would only delay it.
        from harness.apart import head_start

        head_start.run(sys.argv[2:])
    from harness import commands

    sys.exit(commands.main(sys.argv[1:]))
