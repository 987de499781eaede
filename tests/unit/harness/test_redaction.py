from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness.observation import HttpObservation
from harness.redaction import MASK, Redactor

ODD = "p@ss'wörd\"%2B<&>/\\x"


@pytest.mark.parametrize(
    "spelling",
    [
        ODD,
        quote(ODD, safe=""),
        base64.b64encode(ODD.encode()).decode(),
        json.dumps(ODD),
        json.dumps(ODD, ensure_ascii=False),
        html.escape(ODD),
        repr(ODD),
    ],
)
def test_a_secret_is_taken_out_in_every_spelling(spelling: str) -> None:
    text = Redactor([ODD]).text(f"before {spelling} after")
    assert MASK in text
    assert "rd" not in text.replace("redacted", "")


@given(st.text(min_size=6, max_size=40), st.text(max_size=40), st.text(max_size=40))
@example("aaaaaa", "aa", "aa")
# How long it takes says how busy the machine is, and nothing else.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_known_secret_survives(secret: str, before: str, after: str) -> None:
    redacted = Redactor([secret]).text(before + secret + after)
    assert secret not in redacted.replace(MASK, "") or secret in MASK


@pytest.mark.parametrize(
    "text",
    [
        "key hk_live_" + "a1B2" * 4,
        "postgresql://mlflow:" + "s3cr3t" + "@db/mlflow",
        "Authorization: Bearer " + "abcdefghij",
    ],
)
def test_what_is_shaped_like_a_secret_is_taken_out(text: str) -> None:
    redacted = Redactor([]).text(text)
    assert MASK in redacted
    assert "s3cr3t" not in redacted


def test_observations_are_cleaned_everywhere() -> None:
    seen = HttpObservation(
        url=f"https://r/?api_key={quote(ODD, safe='')}",
        request_headers={"X-API-Key": ODD},
        body=f"you sent {ODD}",
    )
    cleaned = Redactor([ODD]).clean(seen)
    assert isinstance(cleaned, HttpObservation)
    assert cleaned.request_headers == {"X-API-Key": MASK}
    assert "rd" not in cleaned.body.replace(MASK, "")


SHAPED = st.sampled_from(
    [
        "hk_live_" + "a1B2" * 4,
        "AKIA" + "Q7" * 8,
        "https://me:pa55w0rd@db",
        "Bearer " + "x" * 9,
        "APIKEY " + "y" * 9,
    ]
)
AROUND = st.text(alphabet=st.sampled_from('ab \n\t"\\/:@é\x7f\u2028'), max_size=4)


@given(AROUND, SHAPED | st.just("opensesame"), AROUND, st.booleans())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_document_is_cleaned_as_its_texts_are(
    before: str, secret: str, after: str, as_key: bool
) -> None:
    redactor, text = Redactor(["opensesame"]), before + secret + after
    cleaned = redactor.clean({text: ["x"]} if as_key else {"x": {"y": [text, "z"]}})
    wanted = redactor.text(text)
    assert cleaned == ({wanted: ["x"]} if as_key else {"x": {"y": [wanted, "z"]}})


def test_what_is_no_json_is_cleaned_all_the_same() -> None:
    cleaned = Redactor(["opensesame"]).clean({"x": "\ud800 opensesame"})
    assert cleaned == {"x": f"\ud800 {MASK}"}
