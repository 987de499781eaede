"""The loopback network of one lab: which address has which part."""

from __future__ import annotations

from dataclasses import dataclass

NUMBERS = range(20, 251)
# 248 to 250 are for the project's own tests.
CHOSEN_BY_ITSELF = range(20, 248)

CONTROL_PLANE_PORT = 4566
RESOLVER_PORT = 5353
MESSAGES_PORT = 4567


@dataclass(frozen=True, slots=True)
class Network:
    """The network 127.n.0.0/16 of lab number n; it is the VPC's CIDR block too.

    127.n.0.0/24 is for the lab's own parts, everything else for what is in the VPC.
    """

    number: int

    def __post_init__(self) -> None:
        """Raise ValueError for a number outside of `NUMBERS`."""
        if self.number not in NUMBERS:
            raise ValueError(f"lab number {self.number} is not in {NUMBERS[0]}..{NUMBERS[-1]}")

    def subnet(self, third: int, bits: int = 24) -> str:
        """The CIDR block 127.n.third.0/bits."""
        return f"127.{self.number}.{third}.0/{bits}"

    @property
    def cidr(self) -> str:
        """The VPC's CIDR block."""
        return f"127.{self.number}.0.0/16"

    @property
    def control_plane(self) -> str:
        """The address of the AWS endpoint (port `CONTROL_PLANE_PORT`)."""
        return f"127.{self.number}.0.2"

    @property
    def resolver(self) -> str:
        """The address of the DNS server (port `RESOLVER_PORT`, UDP and TCP)."""
        return f"127.{self.number}.0.3"

    @property
    def nowhere(self) -> str:
        """The address on which connecting times out."""
        return f"127.{self.number}.0.4"

    @property
    def messages(self) -> str:
        """The address of Session Manager's message gateway (port `MESSAGES_PORT`)."""
        return f"127.{self.number}.0.5"

    @property
    def endpoint_url(self) -> str:
        """The AWS endpoint as boto3 and the aws CLI want it."""
        return f"http://{self.control_plane}:{CONTROL_PLANE_PORT}"

    def owns(self, address: str) -> bool:
        """Whether an address lies in this network."""
        return address.startswith(f"127.{self.number}.")
