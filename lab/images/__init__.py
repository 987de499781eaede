"""What the images of the platform's task definitions hold: the programs that tasks run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

TAGS = {
    "api": ("2025-08-06", "corrected", "breaker-inert", "breaker-stuck"),
    "auth": ("2025-08-06", "corrected"),
    # Another tag of the same server: what is deployed differs, what it does does not.
    "mlflow": ("3.17", "3.16"),
}
# A tag may end with one of these: the same program, in an image that has less beside it.
_SHELL = frozenset({"sh", "bash", "dash"})
_PYTHON = frozenset({"python", "python3"})
VARIANTS = {"-no-python": _PYTHON, "-distroless": _SHELL, "-scratch": _SHELL | _PYTHON}
# Programs on the same framework share a host: it is imported, and kept in memory, once.
HOSTS = {"web": ("api", "auth"), "mlflow": ("mlflow",)}


class UnknownImageError(LookupError):
    """No such image can be pulled; the text is what a task's stoppedReason would say."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image as a task definition names it: `<registry>/hokusai/<program>:<tag>`.

    `missing` are interpreters that it has not: nothing can be run with them inside of a task.
    """

    program: str
    tag: str
    missing: frozenset[str] = frozenset()

    def run(self) -> None:
        """Run the program with the process's environment, until it ends."""
        run: Callable[[str], None] = import_module(f"lab.images.{self.program}.program").run
        run(self.tag)

    @property
    def circuit_breaker(self) -> Path | None:
        """The folder with the build's circuit_breaker.py; None for a program without one."""
        if self.program != "api":
            return None
        folder = "build_" + self.tag.replace("-", "_")
        return Path(__file__).parent / "api" / folder


def find(reference: str) -> Image:
    """The image of a reference. Raises UnknownImageError, worded as ECS does."""
    program, _, tag = reference.rpartition("/")[2].partition(":")
    variant = next((each for each in VARIANTS if tag.endswith(each)), "")
    tag = tag.removesuffix(variant)
    if "hokusai/" in reference and tag in TAGS.get(program, ()):
        return Image(program, tag, VARIANTS.get(variant, frozenset()))
    raise UnknownImageError(
        f"CannotPullContainerError: pull image manifest has been retried 1 time(s): "
        f"failed to resolve ref {reference}: {reference}: not found"
    )


def preload(host: str) -> None:
    """Import what the programs of a host need, without running them."""
    for program in HOSTS[host]:
        import_module(f"lab.images.{program}.program")


def host_of(program: str) -> str:
    """The host that a program's tasks are forked from."""
    return next(host for host, programs in HOSTS.items() if program in programs)
