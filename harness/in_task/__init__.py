"""What is sent into a task to look around there, and the forms in which it can be sent.

In a task with Python, `source()` is the whole probe as one text. ECS Exec takes a command, not a
file: `command` puts probe and questions into the arguments of one `python3`, without a shell.
`bootstrap` and `lines` are for when that is too long: a small command, and the rest typed at it.
"""

from __future__ import annotations

import ast
import base64
import functools
import importlib
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parent
MODULES = ("dns_query", "pg_login")
# AWS documents no limit for ExecuteCommand's `command`; the kernel's for one argument is 128 KiB.
LONGEST_COMMAND = 32_000
# A terminal takes no longer lines (termios(3): 4096 with the line's end); half of that is plenty.
LONGEST_LINE = 2048
END = "."

_PREAMBLE = """\
import sys, types
def _part(name, text):
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, name, "exec"), module.__dict__)
"""


@functools.cache
def source() -> str:
    """The in-task probe with its modules, as one text that reads its questions from stdin."""
    return _bundle(lambda text: text)


@functools.cache
def shortest_source() -> str:
    """The same without comments and documentation: what goes over the wire."""
    return _bundle(_shortened)


@functools.cache
def module() -> ModuleType:
    """The in-task probe in this process, for what is asked on this machine."""
    for name in MODULES:
        # In a task these are beside it, without a package.
        sys.modules.setdefault(name, importlib.import_module(f"{__name__}.{name}"))
    return importlib.import_module(f"{__name__}.probe")


def command(document: bytes, python: str = "python3") -> list[str]:
    """The argument vector that asks the questions of `document` and prints the answers.

    No shell is needed, and nothing has to be typed: the questions are in it. There is no single
    quote, backslash or line end in it, so that it survives being written as one quoted command.
    """
    lines = (
        "import sys,io,zlib,base64 as b",
        "u=lambda t:zlib.decompress(b.b85decode(t)).decode()",
        f"sys.stdin=io.StringIO(u({_literal(_packed(document))}))",
        f"exec(u({_literal(_packed(shortest_source().encode()))}))",
    )
    return [python, "-c", ";".join(lines)]


def bootstrap(python: str = "python3") -> list[str]:
    """The argument vector of a small program that runs what `lines` are typed at it."""
    lines = (
        "import sys,io,os,zlib,base64 as b",
        "os.isatty(0) and os.system(" + _literal("stty -echo") + ")",
        "print(" + _literal("ready") + ",flush=True)",
        f"t=str().join(iter(lambda:sys.stdin.readline().strip(),{_literal(END)}))",
        "p,_,d=zlib.decompress(b.b85decode(t)).decode().partition(chr(0))",
        "sys.stdin=io.StringIO(d)",
        "exec(p)",
    )
    return [python, "-c", ";".join(lines)]


def lines(document: bytes) -> Iterator[bytes]:
    """What is typed at `bootstrap` once it has said `ready`: probe, questions, and the end."""
    packed = _packed(shortest_source().encode() + b"\0" + document)
    for start in range(0, len(packed), LONGEST_LINE):
        yield packed[start : start + LONGEST_LINE].encode() + b"\n"
    yield END.encode() + b"\n"


def _bundle(form: Callable[[str], str]) -> str:
    parts = "".join(f"_part({name!r}, {form(_read(name))!r})\n" for name in MODULES)
    return _PREAMBLE + parts + form(_read("probe"))


def _read(name: str) -> str:
    return (HERE / f"{name}.py").read_text(encoding="utf-8")


def _packed(data: bytes) -> str:
    return base64.b85encode(zlib.compress(data, 9)).decode("ascii")


def _literal(text: str) -> str:
    return f'"{text}"'


def _shortened(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            documented = ast.get_docstring(node) is not None
            node.body = node.body[documented:] or [ast.Pass()]
    return ast.unparse(tree)
