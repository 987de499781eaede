"""Writes a bundle: its files, redacted, an index of what is in it and what is not, and the zip."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.bundle.collect import Collected
from harness.errors import UsageError
from harness.redaction import Redactor


def write(
    folder: Path, found: Sequence[Collected], facts: dict[str, Any], redactor: Redactor
) -> Path:
    """Write everything into ``folder`` and return the path of its zip. Raises UsageError."""
    try:
        for each in found:
            for name, text in each.files:
                path = folder / each.part.id / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(redactor.text(text), encoding="utf-8")
        folder.mkdir(parents=True, exist_ok=True)
        document = _document(found, facts)
        encoded = msgspec.json.format(msgspec.json.encode(document), indent=2)
        (folder / "index.json").write_text(redactor.text(encoded.decode()) + "\n", encoding="utf-8")
        (folder / "index.md").write_text(redactor.text(_markdown(document)), encoding="utf-8")
        return Path(shutil.make_archive(str(folder), "zip", folder.parent, folder.name))
    except OSError as error:
        raise UsageError(
            f"{folder}: the bundle cannot be written: {error.strerror}; "
            "choose another place with --reports FOLDER"
        ) from None


def _document(found: Sequence[Collected], facts: dict[str, Any]) -> dict[str, Any]:
    return {
        **facts,
        "collected": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "parts": [
            {
                "id": each.part.id,
                "text": each.part.text,
                "files": [f"{each.part.id}/{name}" for name, _text in each.files],
                "lacking": each.lacking,
                "remedy": each.remedy,
            }
            for each in found
        ],
    }


def _markdown(document: dict[str, Any]) -> str:
    lines = [
        f"# Evidence from {document['environment']}, {document['collected']}",
        "",
        f"The last {document['hours']} hours, read with read-only calls. Secrets are taken out.",
        "",
        "| what | files | not had | what would give it |",
        "| --- | --- | --- | --- |",
    ]
    for part in document["parts"]:
        files = "<br>".join(f"[{name}]({name})" for name in part["files"]) or "none"
        told = [part[key].replace("|", "\\|").replace("\n", " ") for key in ("lacking", "remedy")]
        lines.append(f"| {part['text']} | {files} | {told[0] or '-'} | {told[1] or '-'} |")
    return "\n".join(lines) + "\n"
