"""What faults change besides AWS: the certificate authority, and roles in the database."""

from __future__ import annotations

import time
from dataclasses import dataclass

from lab.pki import Authority
from lab.rds import DatabaseFollower

_WITHIN = 30.0
_POLL = 0.02


@dataclass(frozen=True, slots=True)
class BeyondAws:
    """See `lab.platform.BeyondAws`."""

    authority: Authority
    database: DatabaseFollower

    def sql(self, statement: str) -> None:
        """Run a statement as the server's superuser, as soon as the server runs.

        Raises TimeoutError if it does not within half a minute.
        """
        deadline = time.monotonic() + _WITHIN
        while (server := self.database.server) is None or not server.alive:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the database did not run within {_WITHIN:.0f} s")
            time.sleep(_POLL)
        server.execute(statement)
