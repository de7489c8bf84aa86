"""The parts of the operator that are there once, for all SafeRollouts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial

from kubernetes.aio.client import ApiClient

from saferollout.leading import Office
from saferollout.observe.alarms import Alarms
from saferollout.observe.cluster import Cluster
from saferollout.observe.saferollouts import SafeRollouts
from saferollout.observe.targets import TargetHealth
from saferollout.options import Options
from saferollout.reminding import Reminder


@dataclass(frozen=True, slots=True)
class Parts:
    """What all loops share."""

    api: ApiClient
    cluster: Cluster
    rollouts: SafeRollouts
    health: TargetHealth
    alarms: Alarms
    reminder: Reminder
    options: Options
    office: Office
    questions: asyncio.Semaphore = field(default_factory=partial(asyncio.Semaphore, 4))
    """Dry runs that are asked for at once, of all loops together."""
