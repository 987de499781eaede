"""Becomes a command that has standard input as its controlling terminal; run by `terminal`.

Arguments: the parent's pid, the program, its arguments. A script of its own for the same reasons as
`lab/bound_exec.py`. The command dies with the lab.
"""

import ctypes
import fcntl
import os
import signal
import sys
import termios

PR_SET_PDEATHSIG = 1
NOT_FOUND, NOT_EXECUTABLE = 127, 126


def main(parent: str, program: str, *arguments: str) -> None:
    """Take the terminal, and become the program."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):
        os._exit(NOT_FOUND)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    try:
        os.execvp(program, [program, *arguments])  # noqa: S606 - that is what it is for
    except OSError as error:
        print(f"{program}: {error.strerror}", file=sys.stderr)
        os._exit(NOT_EXECUTABLE)


if __name__ == "__main__":
    main(*sys.argv[1:])
