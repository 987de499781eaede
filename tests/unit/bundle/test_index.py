"""What is written: files and an index, redacted, with what could not be had; and a zip."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from harness import bundle
from harness.bundle.collect import Collected, Part
from harness.errors import UsageError
from harness.redaction import Redactor

FACTS = {"environment": "prod", "hours": 24}
SECRET = "s3cr%t|pass"


def part(id: str) -> Part:
    return Part(id, id.title(), lambda _source: ())


FOUND = [
    Collected(part("logs"), (("api.log", f"login with {SECRET}\n"),), "", ""),
    Collected(part("rds"), (), f"denied | for {SECRET}", "allow it"),
]


def write(folder: Path) -> Path:
    redactor = Redactor.from_variables({"HOKUSAI_API_KEY": SECRET})
    return bundle.write(folder / "bundle-1", FOUND, FACTS, redactor)


def test_the_index_says_what_is_there_and_what_would_give_the_rest(tmp_path: Path) -> None:
    write(tmp_path)
    index = json.loads((tmp_path / "bundle-1" / "index.json").read_text())
    assert index["environment"] == "prod"
    assert [each["files"] for each in index["parts"]] == [["logs/api.log"], []]
    assert index["parts"][1]["remedy"] == "allow it"
    rows = (tmp_path / "bundle-1" / "index.md").read_text().splitlines()
    assert "| Logs | [logs/api.log](logs/api.log) | - | - |" in rows
    assert len([row for row in rows if row.startswith("| Rds | none | denied \\| for")]) == 1


def test_no_secret_is_written(tmp_path: Path) -> None:
    packed = write(tmp_path)
    with zipfile.ZipFile(packed) as opened:
        texts = [opened.read(name).decode() for name in opened.namelist()]
    assert len(texts) >= 3
    assert not [text for text in texts if SECRET in text]
    assert not [p for p in tmp_path.rglob("*.*") if SECRET in p.read_text(errors="replace")]


def test_a_folder_that_cannot_be_written_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "bundle-1").write_text("a file is in the way")
    with pytest.raises(UsageError, match=r"bundle-1: the bundle cannot be written: .*--reports"):
        write(tmp_path)
