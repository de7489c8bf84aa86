"""The embedded controllers held against the released ones: the same happens to both, and both do the same."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from controlplane import nodes
from controlplane.binaries import Binaries
from controlplane.client import Client
from controlplane.likeness_operations import Sequence
from controlplane.likeness_play import parting, play, races, told
from controlplane.likeness_scene import Picture, Scene
from controlplane.likeness_sequences import sequence
from controlplane.likeness_world import Embedded, Released
from controlplane.mirror import Mirror
from controlplane.plane import ControlPlane
from saferollout.sim.resources import DEPLOYMENTS, PODS, REPLICA_SETS
from saferollout.sim.store import Change
from saferollout.sim.timeline import Timeline
from saferollout.sim.world import WorldConfig

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

_log = logging.getLogger(__name__)

SEQUENCES = int(os.environ.get("SAFEROLLOUT_SEQUENCES", "240"))
"""How many sequences are played, seeds counted from 0."""

ABREAST = 40
"""How many are played at a time."""

CHANCES = 5
"""How often the released controllers play a sequence before a difference is believed."""

UNHURRIED = ("--kube-api-qps=500", "--kube-api-burst=1000")
"""Twenty calls a second, the default, would be spread over forty Deployments here."""


@dataclass
class Theatre:
    """The released control plane, with as many Deployments as there are performances."""

    client: Client
    scenes: dict[str, Scene] = field(default_factory=dict)
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(ABREAST))

    def observe(self, change: Change) -> None:
        """Pass a change on to the scene that it belongs to."""
        scene = self.scenes.get(change.object["metadata"].get("namespace"))
        if scene is not None:
            scene.observe(change)

    async def play(self, drawn: Sequence) -> list[Picture]:
        """Play a sequence where nobody else plays."""
        async with self.room:
            namespace = f"likeness-{len(self.scenes)}"
            scene = self.scenes[namespace] = Scene()
            return await play(drawn, Released(self.client, namespace, scene))


@pytest.fixture(scope="module")
def unhurried_plane(released: Binaries) -> Iterator[ControlPlane]:
    with ControlPlane(released, UNHURRIED) as plane:
        yield plane


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def theatre(unhurried_plane: ControlPlane) -> AsyncIterator[Theatre]:
    async with Client(unhurried_plane) as client:
        await nodes.join(client, WorldConfig())
        mirror = Mirror(Timeline(0.0), client, (DEPLOYMENTS, REPLICA_SETS, PODS))
        theatre = Theatre(client)
        mirror.subscribe(theatre.observe)
        following = asyncio.create_task(mirror.follow())
        yield theatre
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far a sequence was the same on both: quiet points, and what was different then if anything was.

    ``raced`` says that it was cut short where the original draws lots; ``again``, how often it was repeated.
    """

    alike: int
    difference: str = ""
    raced: bool = False
    again: int = 0


async def test_embedded_controllers_do_what_the_released_ones_do(theatre: Theatre) -> None:
    compared = await asyncio.gather(*(_compare(theatre, seed) for seed in range(SEQUENCES)))
    differences = [each.difference for each in compared if each.difference]
    alike, again = (sum(getattr(each, name) for each in compared) for name in ("alike", "again"))
    raced = sum(each.raced for each in compared)
    summary = f"{SEQUENCES} sequences, {alike} quiet points alike, {raced} cut short, {again} repetitions"
    _log.info(summary)
    assert not differences, "\n\n".join([f"{len(differences)} differ: {summary}", *differences])
    assert raced + again <= SEQUENCES // 5, f"so much is left to chance that little is compared: {summary}"


async def _compare(theatre: Theatre, seed: int) -> Comparison:
    """Play a sequence on both; where they part the original may prove that it does not always do the same."""
    drawn = sequence(seed)
    embedded = await play(drawn, Embedded())
    difference = ""
    for again in range(CHANCES):
        released = await theatre.play(drawn)
        parted = parting(embedded, released)
        if parted is None:
            return Comparison(len(embedded), again=again)
        if races(embedded, released, parted):
            return Comparison(parted, raced=True, again=again)
        difference = difference or told(drawn, parted, embedded[parted], released[parted])
        _log.info("once more, to see whether it is chance: seed %d, %s", seed, difference)
    return Comparison(0, difference, again=CHANCES - 1)
