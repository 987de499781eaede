"""botocore's descriptions of AWS services, parsed by msgspec: making clients takes half as long.

botocore parses megabytes of JSON for each run (EC2's alone are 4.3 MB), into ordered dicts; since
Python 3.7 every dict keeps its order. Import this module only where boto3 is needed anyway.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import msgspec
from botocore.loaders import JSONFileLoader


class Models(JSONFileLoader):
    """Loads a description from ``<path>.json.gz`` or ``<path>.json``."""

    def load_file(self, file_path: str) -> Any:
        """Return what a file holds, or None if there is neither."""
        packed, plain = Path(f"{file_path}.json.gz"), Path(f"{file_path}.json")
        if plain.is_file():
            return msgspec.json.decode(plain.read_bytes())
        if packed.is_file():
            return msgspec.json.decode(gzip.decompress(packed.read_bytes()))
        return None
