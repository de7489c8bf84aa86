"""A sequence played in a cluster, and where two performances part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence as Many

from controlplane.likeness_operations import Ready, Sequence
from controlplane.likeness_scene import Picture
from controlplane.likeness_world import World


async def play(sequence: Sequence, world: World) -> list[Picture]:
    """Play a sequence, and return a picture of every quiet point: the first, and one after each operation."""
    await world.create(sequence.deployment)
    await world.settle()
    for number in range(sequence.replicas):
        await Ready(0, number, number % 3).happen(world)
        await world.settle()
    pictures = [world.scene.picture()]
    for operation in sequence.operations:
        await operation.happen(world)
        await world.settle()
        pictures.append(world.scene.picture())
    return pictures


def parting(embedded: Many[Picture], released: Many[Picture]) -> int | None:
    """Return the number of the first quiet point where two performances are not the same, if there is one."""
    pairs = enumerate(zip(embedded, released, strict=True))
    return next((number for number, (here, there) in pairs if here != there), None)


def races(embedded: Many[Picture], released: Many[Picture], number: int) -> bool:
    """Whether the original itself does now this, now that, on the way to a quiet point."""
    here, there = embedded[number], released[number]
    return number > 0 and (_fences_anew(embedded[number - 1], here) or _shrinks_abreast(here, there))


def _fences_anew(before: Picture, after: Picture) -> bool:
    """Whether a ReplicaSet rolls that had another ``minReadySeconds``: how many old pods go is chance.

    The original writes it the new one, trips over its own write, and tries again after 5 ms. By then the
    ReplicaSet may have counted its available pods anew, or not (docs/findings.md, 20).
    """
    replica_set = before.replica_sets.get(after.deployment["template"])
    fenced_anew = replica_set is not None and replica_set["fence"] != after.deployment["fence"]
    return fenced_anew and not after.deployment["paused"]


def _shrinks_abreast(embedded: Picture, released: Picture) -> bool:
    """Whether two ReplicaSets lost pods, and nothing but which ones is not the same.

    A pod with company on its node goes before one without. Whether those count as company that the other
    ReplicaSet is just deleting is chance (docs/findings.md, 21).
    """
    here, there = Counter(embedded.gone), Counter(released.gone)
    either = here | there
    in_question = either - (here & there)
    had_company = any(
        each.node == mate.node and each.tag != mate.tag for each in in_question for mate in either
    )
    return had_company and set(embedded.unlike(released)) == {"pods", "gone"}


def told(sequence: Sequence, number: int, embedded: Picture, released: Picture) -> str:
    """Tell what is not the same at a quiet point, with the code to see it again."""
    before = sequence.operations[number - 1] if number else "the beginning"
    unlike = "".join(
        f"  {name}\n    embedded {here}\n    released {there}\n"
        for name, (here, there) in embedded.unlike(released).items()
    )
    return f"after {before}, number {number}:\n{unlike}{sequence.code}"
