"""`python -m lab COMMAND`; `exec` takes a short way, because it runs for every probe in a task."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Run the command of the command line; returns the exit code."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    arguments = sys.argv[1:]
    if arguments[:1] == ["exec"]:
        from lab import inside

        inside.run(arguments[1:], ROOT / ".lab" / "labs")
    from lab import cli

    return cli.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
