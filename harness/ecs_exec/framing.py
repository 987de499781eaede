"""A command's three answers through one terminal: output, errors and status, each told apart.

A session has a terminal only: it echoes, turns line ends into CRLF, and mixes output with errors.
So the command runs in a shell script that prints base64 between marks that cannot be guessed.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import shlex
from dataclasses import dataclass
from typing import Final

from harness.ecs_exec.errors import CorruptAnswerError, NoShellError, OutputTooLargeError

# A longer command is typed instead: no size is documented for ExecuteCommand's.
COMMAND_AT_MOST: Final = 3000
# A terminal in its usual mode takes lines of up to 4095 bytes (termios(3), canonical mode).
LINE: Final = 1000
_NO_BASE64: Final = b"no-base64"

# t reads what is typed, up to a line with a dot, into a variable, before anything is printed: so
# that an echo (an image without stty) comes before the answer. 3 is the terminal, 4 the errors,
# 5 the status, none of which the command inherits.
_SCRIPT: Final = """m={mark}
command -v base64 >/dev/null 2>&1 || {{ echo "$m {no_base64}"; exit 1; }}
stty -echo -opost 2>/dev/null
t() {{ while IFS= read -r l && [ "$l" != . ]; do printf %s "$l"; done; }}
{ready}c=$({command} | base64 -d && echo .)
c=${{c%.}}
i={stdin}
exec 3>&1
echo "$m out"
e=$({{ s=$({{ {{ {feed}sh -c "$c" 2>&4 3>&- 4>&- 5>&-; echo $? >&5; }} | base64 >&3; }} 5>&1)
echo "$m status $s" >&3; }} 4>&1 | base64)
echo "$m err"
echo "$e"
echo "$m end"
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command printed and returned, byte for byte."""

    status: int
    stdout: bytes
    stderr: bytes


class Bare:
    """A program that is started as it is, without a shell: one output, and no exit code."""

    typed = b""

    def __init__(self, argv: list[str], at_most: int) -> None:
        """``at_most`` bounds the bytes that are kept."""
        self.command, self._at_most = shlex.join(argv), at_most
        self._seen = bytearray()
        self._ended = False

    def take(self, data: bytes) -> None:
        """Add what the terminal printed. Raises OutputTooLargeError."""
        self._seen += data
        if len(self._seen) > self._at_most:
            raise OutputTooLargeError(f"the program printed more than {self._at_most:,} bytes")

    def asked(self) -> bool:
        """False: nothing is typed."""
        return False

    def end(self) -> None:
        """Note that the program has ended by itself."""
        self._ended = True

    def complete(self) -> bool:
        """True once the program has ended."""
        return self._ended

    def answer(self) -> Answer:
        """Return what the terminal showed, with its line ends as they were printed."""
        return Answer(0, bytes(self._seen).replace(b"\r\n", b"\n"), b"")

    def unframed(self) -> str:
        """Return the last of what was printed."""
        return " ".join(bytes(self._seen[-500:]).decode("utf-8", "replace").split())


class Frame:
    """One command on its way: what to start, what to type, and its answer once it is whole."""

    def __init__(self, command: str, stdin: bytes | None, at_most: int) -> None:
        """``at_most`` bounds the bytes of answer, in base64, that are kept."""
        self._mark, self._at_most = secrets.token_hex(16), at_most
        self._seen = bytearray()
        self._looked = 0
        encoded = base64.b64encode(command.encode("utf-8", "surrogateescape"))
        typed = len(encoded) > COMMAND_AT_MOST
        self._typed = b""
        if typed:
            self._typed += _lines(encoded)
        if stdin is not None:
            self._typed += _lines(base64.b64encode(stdin))
        self.command = self._script("t" if typed else f"echo {encoded.decode()}", stdin is not None)

    @property
    def typed(self) -> bytes:
        """What is to be typed once the script has asked for it."""
        return self._typed

    def _script(self, command: str, fed: bool) -> str:
        script = _SCRIPT.format(
            mark=self._mark,
            no_base64=_NO_BASE64.decode(),
            ready='echo "$m ready"\n' if self._typed else "",
            command=command,
            stdin="$(t)" if fed else "",
            feed='echo "$i" | base64 -d 2>/dev/null | ' if fed else "</dev/null ",
        )
        return f"sh -c {shlex.quote(script)}"

    def take(self, data: bytes) -> None:
        """Add what the terminal printed. Raises OutputTooLargeError."""
        self._seen += data
        if len(self._seen) > self._at_most:
            raise OutputTooLargeError(f"the command printed more than {self._at_most:,} bytes")

    def asked(self) -> bool:
        """True if the script waits for what is to be typed."""
        return self._mark.encode() + b" ready" in self._seen

    def complete(self) -> bool:
        """True if the whole answer is there. Raises NoShellError if the image lacks base64."""
        mark = self._mark.encode()
        begin = max(0, self._looked - 64)
        self._looked = len(self._seen)
        if self._seen.find(mark + b" " + _NO_BASE64, begin) >= 0:
            raise NoShellError("the image has no base64")
        return self._seen.find(mark + b" end", begin) >= 0

    def end(self) -> None:
        """Nothing: only the answer itself says that it is whole."""

    def answer(self) -> Answer:
        """Return the answer. Raises CorruptAnswerError if any part is damaged."""
        mark = self._mark.encode()
        pattern = rb"%b out\r*\n(.*?)%b status (\d{1,3})\r*\n%b err\r*\n(.*?)%b end" % ((mark,) * 4)
        found = re.search(pattern, self._seen, re.DOTALL)
        if found is None:
            raise CorruptAnswerError("the answer's parts are not in their order")
        return Answer(int(found[2]), _decoded(found[1]), _decoded(found[3]))

    def unframed(self) -> str:
        """Return what was printed outside of any frame: how a shell that fails complains."""
        text = bytes(self._seen[-500:]).decode("utf-8", "replace")
        return " ".join(text.replace(self._mark, "").split())


def _lines(encoded: bytes) -> bytes:
    chunks = [encoded[begin : begin + LINE] for begin in range(0, len(encoded), LINE)]
    return b"\n".join([*chunks, b".\n"])


def _decoded(block: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(block.split()), validate=True)
    except binascii.Error:
        raise CorruptAnswerError("a part of the answer is no base64") from None
