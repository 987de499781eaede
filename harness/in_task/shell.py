"""The in-task probe where the image has no Python: a shell script out of `probe.sh`.

It answers questions of kind dns, tcp, http and variables as far as the image has tools for them;
everything else comes back as `no-vantage-point`, with what is missing.
"""

from __future__ import annotations

import functools
import json
import math
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness.observation import FailureKind

Question = dict[str, Any]
Fields = dict[str, str]
Seen = dict[str, Any]

SCRIPT = Path(__file__).with_name("probe.sh")
STOPPED = 143
_LINE = re.compile(rb"^(\d+) (\w+) ([0-9a-f]+)\r?$", re.M)
_VARIABLE = re.compile(r"\$\{(\w+)(?::-((?:[^{}]|\{[^{}]*\})*))?\}")
_SEEN = re.compile(r"\n@@ (.*)$", re.S)
_NAME = re.compile(r"[A-Za-z_]\w*\Z", re.A)
_TOLD = (
    ("refused", FailureKind.CONNECT_REFUSED),
    ("timed out", FailureKind.CONNECT_TIMEOUT),
    ("timeout", FailureKind.CONNECT_TIMEOUT),
    ("resolve", FailureKind.DNS_NXDOMAIN),
    ("bad address", FailureKind.DNS_NXDOMAIN),
    ("not known", FailureKind.DNS_NXDOMAIN),
    ("getaddrinfo", FailureKind.DNS_NXDOMAIN),
    ("certificate", FailureKind.TLS_VERIFY),
    ("unreachable", FailureKind.CONNECT_UNREACHABLE),
    ("no route", FailureKind.CONNECT_UNREACHABLE),
)
# curl(1), "EXIT CODES".
_CURL = {
    5: FailureKind.DNS_NXDOMAIN,
    6: FailureKind.DNS_NXDOMAIN,
    7: FailureKind.CONNECT_REFUSED,
    35: FailureKind.TLS_HANDSHAKE,
    52: FailureKind.READ_RESET,
    56: FailureKind.READ_RESET,
    60: FailureKind.TLS_VERIFY,
    77: FailureKind.TLS_VERIFY,
}
_CUT_OFF = 23  # curl's "write error": we have read enough


class _Failed(Exception):
    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def command(document: bytes, shell: str = "sh") -> list[str]:
    """The argument vector that asks the questions of `document`, as far as a shell can."""
    questions = json.loads(document)["questions"]
    calls = [
        call
        for number, each in enumerate(questions)
        for call in (f"say {number} heard 1", *_calls(number, each))
    ]
    background = [f"{call} &" for call in calls]
    return [shell, "-c", "\n".join([_script(), *background, "wait"])]


def answers(document: bytes, printed: bytes) -> bytes:
    """What the Python probe would have printed, from what the script has."""
    questions = json.loads(document)["questions"]
    fields: list[Fields] = [{} for _ in questions]
    for number, name, value in _LINE.findall(printed):
        if int(number) < len(fields):
            known = fields[int(number)]
            known[name.decode()] = known.get(name.decode(), "") + value.decode()
    told = [_answer(*pair) for pair in zip(questions, map(_readable, fields), strict=True)]
    return json.dumps({"answers": told}).encode()


@functools.cache
def _script() -> str:
    lines = SCRIPT.read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if line and not line.startswith("#"))


def _readable(fields: Fields) -> Fields:
    return {name: bytes.fromhex(text).decode("utf-8", "replace") for name, text in fields.items()}


def _calls(number: int, question: Question) -> Iterator[str]:
    seconds = max(1, math.ceil(question["deadline"]))
    kind = question["kind"]
    if kind == "dns" and question.get("record", "A") == "A":
        yield f"ask_dns {number} {seconds} {_filled(question['name'])}"
    elif kind == "tcp":
        host, port = _filled(question["host"]), _filled(str(question["port"]))
        yield f"ask_tcp {number} {seconds} {host} {port}"
    elif kind == "http":
        yield _http_call(number, seconds, question)
    elif kind == "variables":
        for call, names in (("ask_variable", "names"), ("ask_secret", "secret_names")):
            for name in filter(_NAME.match, question.get(names, ())):
                yield f"{call} {number} {name}"


def _http_call(number: int, seconds: int, question: Question) -> str:
    headers = [f"{name}: {value}" for name, value in question.get("headers", ())]
    words = (
        question["url"],
        question.get("method", "GET"),
        str(question["max_bytes"]),
        question.get("body") or "",
        "User-Agent: hokusai-acceptance/1",
        *headers,
    )
    return " ".join([f"ask_http {number} {seconds}", *map(_filled, words)])


def _filled(text: str) -> str:
    """One word for the shell, in which it fills in the task's variables and nothing else."""
    return f'"{_expanded(text)}"'


def _expanded(text: str) -> str:
    parts, at = [], 0
    for found in _VARIABLE.finditer(text):
        parts.append(_literal(text[at : found.start()]))
        otherwise = "" if found[2] is None else f":-{_expanded(found[2])}"
        parts.append(f"${{{found[1]}{otherwise}}}")
        at = found.end()
    return "".join([*parts, _literal(text[at:])])


def _literal(text: str) -> str:
    return re.sub(r'([\\"`$])', r"\\\1", text)


def _answer(question: Question, fields: Fields) -> Seen:
    kind = question["kind"]
    seen: Seen = {"kind": kind, "started": time.time(), **_identity(question)}
    read = _READERS.get(kind)
    try:
        if read is None or (kind == "dns" and question.get("record", "A") != "A"):
            raise _unanswerable(kind, "Python")
        if "heard" not in fields:
            raise _unanswered()
        if "lacks" in fields:
            raise _unanswerable(kind, f"Python nor {fields['lacks']}")
        read(question, fields, seen)
    except _Failed as error:
        seen["failure"] = {"kind": error.kind, "message": str(error)}
    return seen


def _unanswerable(kind: str, missing: str) -> _Failed:
    has = "neither" if " nor " in missing else "no"
    text = f"a question of kind {kind} cannot be asked: the task's image has {has} {missing}"
    return _Failed(FailureKind.NO_VANTAGE_POINT, text)


def _unanswered() -> _Failed:
    text = "the shell in the task did not answer this question"
    return _Failed(FailureKind.NO_VANTAGE_POINT, text)


def _identity(question: Question) -> Seen:
    same = ("method", "url", "host", "name", "record", "user", "database")
    return {name: question[name] for name in same if name in question}


def _given(question: Question, fields: Fields, *names: str) -> Seen:
    """The fields as the task filled them in. Raises _Failed for one without a value."""
    for name in names:
        if fields.get(name, "").startswith(("/", ":")) or name not in fields:
            text = f"{name}: the task has no value for {question[name]}"
            raise _Failed(FailureKind.SETTING_EMPTY, text)
    return {name: fields[name] for name in names}


def _status(fields: Fields, name: str = "status") -> int:
    if name not in fields:
        raise _unanswered()
    return int(fields[name])


def _read_dns(question: Question, fields: Fields, seen: Seen) -> None:
    seen.update(_given(question, fields, "name"))
    status, name = _status(fields), seen["name"]
    if status == STOPPED:
        raise _Failed(FailureKind.DNS_TIMEOUT, f"{name}: no answer within {question['deadline']} s")
    if status != 0:
        raise _Failed(FailureKind.DNS_NXDOMAIN, f"{name}: Name or service not known")
    seen["answers"] = list(dict.fromkeys(fields.get("answers", "").split()))


def _read_tcp(question: Question, fields: Fields, seen: Seen) -> None:
    given = _given(question, fields, "host", "port")
    seen.update(host=given["host"], port=int(given["port"]))
    status, told = _status(fields), fields.get("told", "")
    if status == 0:
        return
    where = f"{given['host']}:{given['port']}"
    late = status == STOPPED or int(fields.get("seconds", 0)) >= question["deadline"]
    otherwise = FailureKind.CONNECT_TIMEOUT if late else FailureKind.CONNECT_REFUSED
    last = (told.strip().splitlines() or [f"status {status}"])[-1]
    raise _Failed(_kind_of(told, otherwise), f"{where}: {last}")


def _read_http(question: Question, fields: Fields, seen: Seen) -> None:
    seen.update(_given(question, fields, "url"), method=question.get("method", "GET"))
    (_read_wget if "wget" in fields else _read_curl)(question, fields, seen)


def _read_curl(question: Question, fields: Fields, seen: Seen) -> None:
    status, reply = _status(fields), fields.get("reply", "")
    measured = _SEEN.search(reply)
    if measured:
        reply = reply[: measured.start()]
        seen.update(_measured(measured[1].split(" ")))
    if reply.startswith("HTTP/"):
        _read_reply(question, reply, seen)
    if status not in (0, _CUT_OFF):
        connected = bool(seen.get("timings", {}).get("connect"))
        raise _Failed(_curl_kind(status, connected), f"{seen['url']}: curl ended with {status}")


def _curl_kind(status: int, connected: bool) -> FailureKind:
    if status == 28:
        return FailureKind.READ_TIMEOUT if connected else FailureKind.CONNECT_TIMEOUT
    return _CURL.get(status, FailureKind.PROTOCOL_ERROR)


def _measured(words: list[str]) -> Seen:
    names = ("dns", "connect", "tls", "first_byte", "total")
    times = {name: float(word) * 1000 for name, word in zip(names, words, strict=False)}
    address = ":".join(words[5:7]).strip()
    seen: Seen = {"timings": {name: round(ms, 3) for name, ms in times.items() if ms}}
    return seen | ({"address": address} if address.strip(":0") else {})


def _read_reply(question: Question, reply: str, seen: Seen) -> None:
    head, _, body = reply.partition("\r\n\r\n")
    while re.match(r"HTTP/\S+ 1\d\d\b", head) and body.startswith("HTTP/"):
        head, _, body = body.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    seen["status"] = int(first.split()[1])
    pairs = (line.partition(":") for line in lines)
    seen["headers"] = {name.strip().lower(): value.strip() for name, _, value in pairs}
    _read_body(question, body, seen)


def _read_body(question: Question, body: str, seen: Seen) -> None:
    largest, data = question["max_bytes"], body.encode()
    seen["body"], seen["body_bytes"] = data[:largest].decode("utf-8", "ignore"), len(data)
    if len(data) > largest:
        raise _Failed(FailureKind.TOO_LARGE, f"the body is longer than {largest} bytes")


def _read_wget(question: Question, fields: Fields, seen: Seen) -> None:
    heads = fields.get("heads", "")
    told = re.findall(r"HTTP/\S+ (\d{3})", heads)
    if not told:
        text = (heads.strip().splitlines() or ["no answer"])[-1]
        late = _status(fields, "wget") == STOPPED
        otherwise = FailureKind.READ_TIMEOUT if late else FailureKind.PROTOCOL_ERROR
        raise _Failed(_kind_of(heads, otherwise), f"{seen['url']}: {text}")
    seen["status"] = int(told[0])
    found = re.findall(r"^\s+([\w-]+): (.*?)\s*$", heads, re.M)
    seen["headers"] = {name.lower(): value for name, value in found}
    _read_body(question, fields.get("body", ""), seen)


def _kind_of(told: str, otherwise: FailureKind) -> FailureKind:
    lower = told.lower()
    return next((kind for sign, kind in _TOLD if sign in lower), otherwise)


def _read_variables(question: Question, fields: Fields, seen: Seen) -> None:
    plain = [
        {"name": name, "present": True, "value": fields.get(f"is_{name}", "")}
        if f"has_{name}" in fields
        else {"name": name, "present": False}
        for name in question.get("names", ())
    ]
    secret = [
        {"name": name, "present": f"has_{name}" in fields, "sha256_8": fields.get(f"sum_{name}")}
        for name in question.get("secret_names", ())
    ]
    seen["variables"] = plain + secret


_READERS: dict[str, Callable[[Question, Fields, Seen], None]] = {
    "dns": _read_dns,
    "tcp": _read_tcp,
    "http": _read_http,
    "variables": _read_variables,
}
