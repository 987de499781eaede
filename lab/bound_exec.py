"""Becomes another program that dies with its parent; run by `lab.process`.

Arguments: parent's pid, death signal, user (or -), program, its arguments. A script of its own,
and not code between fork and exec: the supervisor has many threads, and a forked child must not
run Python then.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(parent: str, death_signal: str, user: str, *program: str) -> None:
    """Switch the user first: that would clear the death signal."""
    if user != "-":
        os.setgroups([])
        os.setgid(int(user))
        os.setuid(int(user))
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(death_signal))
    if os.getppid() != int(parent):
        os._exit(127)  # the parent died before the signal was set
    os.execvp(program[0], program)  # noqa: S606 - that is what it is for


if __name__ == "__main__":
    main(*sys.argv[1:])
