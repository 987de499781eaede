"""A finding: what a failed cause check says is wrong, and what mends it. Data only."""

import shlex

import msgspec

# The CLI's version 1 sends rds of us-east-1 to AWS itself, unless it is told otherwise right here.
ELSEWHERE = '${AWS_ENDPOINT_URL:+--endpoint-url "$AWS_ENDPOINT_URL"}'


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One broken link of the chain, in words that somebody else can act on.

    ``mend`` holds command lines with the real identifiers, to be run in order.
    """

    what: str
    resource: str
    expected: str
    observed: str
    mend: tuple[str, ...] = ()


class CauseFound(AssertionError):
    """A cause check failed; the finding says what was found."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(
            f"{finding.what}: expected {finding.expected}, observed {finding.observed} "
            f"({finding.resource})"
        )


def require(holds: bool, finding: Finding) -> None:
    """Raise CauseFound unless the requirement holds."""
    __tracebackhide__ = True
    if not holds:
        raise CauseFound(finding)


def aws(service: str, operation: str, /, **options: object) -> str:
    """Return an ``aws`` command line; an option is spelled as the CLI does, True is a bare flag."""
    words = ["aws", service, operation]
    for name, value in options.items():
        words.append("--" + name.replace("_", "-"))
        if isinstance(value, list | tuple):
            words += map(str, value)
        elif value is not True:
            words.append(str(value))
    line = " ".join(map(shlex.quote, words))
    return f"{line} {ELSEWHERE}" if service == "rds" else line
