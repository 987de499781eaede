"""Direct questions to a resolver, with packets of a real DNS library on the other side."""

from __future__ import annotations

import pytest
from dnslib import AAAA, CNAME, RCODE, RR, A, DNSRecord

from harness.in_task import dns_query


def replied(name: str, record: str, *records: RR, rcode: int = 0) -> dict[str, object]:
    asked = DNSRecord.parse(dns_query.question(7, name, dns_query.TYPES[record]))
    assert str(asked.q.qname) == f"{name.rstrip('.')}."
    reply = asked.reply()
    reply.header.rcode = rcode
    for each in records:
        reply.add_answer(each)
    found: dict[str, object] = dns_query.answer(7, reply.pack(), dns_query.TYPES[record])
    return found


def test_addresses_come_with_the_lowest_ttl() -> None:
    first = RR("a.test", 1, rdata=A("10.0.0.1"), ttl=10)
    second = RR("a.test", 1, rdata=A("10.0.0.2"), ttl=5)
    told = replied("a.test", "A", first, second)
    assert told == {"rcode": "NOERROR", "answers": ["10.0.0.1", "10.0.0.2"], "ttl": 5}


def test_an_alias_before_the_address_is_passed_over() -> None:
    alias = RR("a.test", 5, rdata=CNAME("b.test"), ttl=300)
    told = replied("a.test", "A", alias, RR("b.test", 1, rdata=A("10.0.0.1"), ttl=10))
    assert told["answers"] == ["10.0.0.1"]
    assert replied("a.test", "CNAME", alias)["answers"] == ["b.test"]
    six = RR("a.test", 28, rdata=AAAA("2001:db8::1"), ttl=1)
    assert replied("a.test", "AAAA", six)["answers"] == ["2001:db8::1"]


@pytest.mark.parametrize("rcode", ["NXDOMAIN", "SERVFAIL", "REFUSED", "NOERROR"])
def test_the_code_is_told(rcode: str) -> None:
    told = replied("a.test.", "A", rcode=getattr(RCODE, rcode))
    assert told == {"rcode": rcode, "answers": [], "ttl": None}


def test_what_is_no_answer_to_us_is_refused() -> None:
    good = DNSRecord.parse(dns_query.question(7, "a.test", 1)).reply()
    good.add_answer(RR("a.test", 1, rdata=A("10.0.0.1")))
    packet = good.pack()
    for number, damaged in ((8, packet), *((7, packet[:size]) for size in range(len(packet)))):
        with pytest.raises(ValueError, match=r"packet|another|packed"):
            dns_query.answer(number, damaged, 1)


@pytest.mark.parametrize("name", ["", "a..b", "x" * 64 + ".test"])
def test_what_is_no_name_is_not_asked(name: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        dns_query.question(1, name, 1)


def test_a_name_that_points_at_itself_ends() -> None:
    with pytest.raises(ValueError, match="without end"):
        dns_query.name_at(b"\xc0\x00", 0)
