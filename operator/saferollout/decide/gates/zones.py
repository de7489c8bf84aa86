"""What zones have to keep."""

from __future__ import annotations

from collections import Counter

from saferollout.api.reasons import Reason
from saferollout.decide import zones
from saferollout.decide.decision import Wait
from saferollout.decide.gates.step import Step
from saferollout.decide.waiting import UNHURRIED
from saferollout.decide.wording import shortened


def zones_known(step: Step) -> Wait | None:
    """The zone of every serving pod is known, if zones have a floor at all."""
    if step.rollout.observation.policy.min_healthy in {0, "0%"}:
        return None
    lost = [pod.name for pod in step.rollout.serving.pods if pod.zone is None]
    if not lost:
        return None
    return Wait(
        Reason.ZONE_UNKNOWN, f"no zone is known for {shortened(lost)}: label the nodes with their zone"
    )


def zone_baked(step: Step) -> Wait | None:
    """The last zone whose old pods are all gone has had its time, if zones go one after the other."""
    seen = step.rollout.observation
    since = seen.memory.zone_since
    missing = 0.0 if since is None else since + seen.policy.zone_bake - seen.now
    if not seen.policy.zone_by_zone or missing <= 0 or step.rollout.rolling_back:
        return None
    message = f"{seen.memory.zone} is next, {seen.policy.zone_bake:g}s after the zone before it"
    return Wait(Reason.BAKING, message, missing)


def zones_kept(step: Step) -> Wait | None:
    """No zone is brought below its floor, unless the user's patience with that has an end."""
    broken = floors_broken(step)
    seen = step.rollout.observation
    since = seen.memory.waiting_since if seen.memory.reason is Reason.ZONE_FLOOR else None
    if not broken or (since is not None and seen.now - since > seen.policy.floor_patience):
        return None
    left = (seen.now if since is None else since) + seen.policy.floor_patience - seen.now
    return Wait(Reason.ZONE_FLOOR, f"{shortened(broken)}; {_way_out(step)}", min(left + 0.1, UNHURRIED))


def floors_broken(step: Step) -> list[str]:
    """Return, for every zone that the plan would bring below its floor, which pods and how far."""
    serving, victims = step.rollout.serving, step.plan.victims
    leaving = [pod for pod in victims if serving.may_serve(pod)]
    lost = zones.by_zone(leaving)
    after = zones.by_zone(serving.pods)
    after.subtract(zones.by_zone(step.rollout.serving_among(victims)))
    return [
        f"{zone} would keep {after[zone]} of at least {step.rollout.floors[zone]} serving pods without"
        f" {shortened([pod.name for pod in leaving if pod.zone == zone])}"
        for zone in zones.below(after, lost, step.rollout.floors)
    ]


def _way_out(step: Step) -> str:
    """What the scheduler did, and what to write so that it does otherwise; or what passes by itself."""
    serving = step.rollout.serving
    if arriving := [pod for pod in step.plan.victims if pod.name in serving.arriving]:
        return shortened(serving.reasons(arriving))
    kept = [zone for zone, floor in step.rollout.floors.items() if floor]
    if step.rollout.in_place:
        return "a step in place takes old pods before new ones are there: lower zones.minHealthy"
    if step.rollout.deployment.replicas < len(kept):
        return (
            f"there are {len(kept)} zones to keep and {step.rollout.deployment.replicas} replicas:"
            " set zones.minHealthy to 0"
        )
    landed = Counter(pod.zone or "no known zone" for pod in step.rollout.new_pods)
    where = shortened([f"{count} in {zone}" for zone, count in sorted(landed.items())])
    return (
        f"the scheduler put the new pods elsewhere ({where}): give the template topologySpreadConstraints"
        " over topology.kubernetes.io/zone with matchLabelKeys: [pod-template-hash]"
    )
