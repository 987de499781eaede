"""What the same command asked the last time, in the same state: that can be asked at once.

Which probes a run needs is known when its checks are collected; until then pytest takes longer than
most answers do. A command whose arguments, settings and files are as they were needs the same
probes again. So a run keeps them under a name that stands for all of that, and the next one of that
name begins with them. What is needed beyond them is asked after collection, as ever.
"""

import contextlib
import hashlib
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from harness import whole
from harness.project import ROOT, Project
from harness.redaction import SECRET_VARIABLES, Redactor
from harness.specs import AnyProbe

FOLDER = Path("reports") / ".foreseen"
MOST_KEPT = 20
# With other options than these it is open which checks are run (--lf), something comes before
# asking (--gate), or the run writes.
STEADY = re.compile(
    r"-[qvxs]+|-r\w*|--(?:env|expect|missing|validate|reports|metrics|alluredir|junit(?:-?xml)?|tb|"
    r"color|maxfail|durations|verbosity|no-header|no-summary)(?:=.*)?|-[mkp].*|[^-].*",
    re.DOTALL,
)
DECIDES = re.compile(r"(?:HOKUSAI|AWS)_\w+|HOME")
# Where pytest looks for tests if none are named: see pytest.ini.
TESTS = "tests/acceptance"
DATA = ("causes", "environments", "failures", "harness")
DECISIVE = (".py", ".yaml", ".ini", ".toml", ".cfg", ".env")


class Foreseen(msgspec.Struct, frozen=True):
    """What a run read from the project's files, where its reports go, and what it asks."""

    project: Project
    reports: str
    probes: tuple[AnyProbe, ...]


def place_for(arguments: Sequence[str], variables: Mapping[str, str]) -> Path | None:
    """Return where is kept what this command asks in this state; None if it may ask otherwise.

    To be called when a run begins: what is changed while it is under way is another state.
    """
    with contextlib.suppress(OSError):  # a file that went meanwhile
        if _steady(arguments, variables):
            return FOLDER / _name(arguments, variables)
    return None


def recall(path: Path) -> Foreseen | None:
    """Return what is kept there, if there is anything."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Foreseen)
    except (OSError, msgspec.MsgspecError):
        return None


def keep(path: Path, found: Foreseen, redactor: Redactor) -> None:
    """Keep what a run asked, unless that has a secret; what cannot be kept is not missed."""
    if redactor.clean(found) != found:
        return
    with contextlib.suppress(OSError):
        FOLDER.mkdir(parents=True, exist_ok=True)
        whole.write(path, msgspec.json.encode(found))
        kept = sorted(FOLDER.glob("*.json"), key=lambda each: each.stat().st_mtime)
        for old in kept[:-MOST_KEPT]:
            old.unlink(missing_ok=True)


def same(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether nothing was set or changed, but for what pytest itself sets."""
    return _but_for_pytests(one) == _but_for_pytests(other)


def _but_for_pytests(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if not name.startswith("PYTEST_")}


def _steady(arguments: Sequence[str], variables: Mapping[str, str]) -> bool:
    more = {"PYTEST_ADDOPTS", "PYTEST_PLUGINS"} & set(variables)
    known = bool(_named(arguments)) or Path.cwd() == ROOT
    return known and not more and all(map(STEADY.fullmatch, arguments))


def _named(arguments: Sequence[str]) -> list[Path]:
    """Return the places of tests that are named."""
    places = [Path(each.partition("::")[0]) for each in arguments if not each.startswith("-")]
    return [place for place in places if place.exists()]


def _name(arguments: Sequence[str], variables: Mapping[str, str]) -> str:
    """Return a name for all that decides what a run asks. No secret takes part in it."""
    settings = {
        name: None if name in SECRET_VARIABLES else value
        for name, value in sorted(variables.items())
        if DECIDES.fullmatch(name)
    }
    state = [list(arguments), str(Path.cwd()), sys.version, settings, list(_files(arguments))]
    return hashlib.sha256(msgspec.json.encode(state)).hexdigest()[:32] + ".json"


def _files(arguments: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Yield every file that has a say in what is asked: path, time of change, size."""
    for place in (*_named(arguments), *(ROOT / name for name in (TESTS, *DATA))):
        yield from _below(place) if place.is_dir() else ()
    for folder in dict.fromkeys((Path.cwd(), ROOT)):
        yield from _below(folder, deep=False)
    for path in _named(arguments):
        seen = path.stat()
        yield str(path), seen.st_mtime_ns, seen.st_size


def _below(folder: Path, *, deep: bool = True) -> Iterator[tuple[str, int, int]]:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.is_dir():
            if deep and entry.name != "__pycache__":
                yield from _below(Path(entry.path))
        elif entry.name.endswith(DECISIVE):
            seen = entry.stat()
            yield entry.path, seen.st_mtime_ns, seen.st_size
