"""Imported once by the process that the matrix's runs are forked from: what each would do again."""

from __future__ import annotations

import gc
from functools import cache
from typing import Any

from harness.aws import credentials
from harness.aws.models import Models

_SERVICES = ("acm", "ec2", "ecs", "elbv2", "rds", "secretsmanager", "servicediscovery")
# botocore completes the others in place.
_SHARED = ("endpoints", "partitions", "service-2", "endpoint-rule-set-1")
_load = cache(Models().load_file)


def _load_once(models: Models, path: str) -> Any:
    return _load(path) if path.endswith(_SHARED) else _read(models, path)


_read = Models.load_file
Models.load_file = _load_once  # type: ignore[method-assign,assignment]
_session = credentials.session("us-east-1")
for _name in _SERVICES:
    _session.client(
        _name, aws_access_key_id="none", aws_secret_access_key="none", endpoint_url="http://[::1]"
    )
gc.collect()
gc.freeze()
