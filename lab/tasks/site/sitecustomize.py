"""Confines every Python process that is started inside a task; see lab.tasks.confinement."""

import os

if "LAB_TASK_ADDRESS" in os.environ:
    from lab.tasks import confinement

    confinement.install()
