"""The gates between two releases. Each one passes (``None``) or says what it waits for.

They are asked in the order of ``GATES``; the first closed one names the wait. Unknown is closed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from saferollout.api.names import ACTION_ANNOTATION
from saferollout.api.reasons import Reason
from saferollout.decide import alarms, causes, fences, zones
from saferollout.decide.decision import Wait
from saferollout.decide.draining import still_registered, unasked
from saferollout.decide.observation import Draining, TargetGroup
from saferollout.decide.rollout import Rollout
from saferollout.decide.superseded import first_to_go
from saferollout.decide.target_states import explained
from saferollout.decide.victims import LOWEST_COST, Plan
from saferollout.decide.waiting import UNHURRIED
from saferollout.decide.wording import shortened


@dataclass(frozen=True, slots=True)
class Step:
    """The release that is considered: the pods it would take, and what may stand against it."""

    rollout: Rollout
    plan: Plan
    floors: Mapping[str, int]
    draining: tuple[Draining, ...]
    planned_at: float


def targets_known(step: Step) -> Wait | None:
    """Every target group has answered, and lately."""
    for group in step.rollout.observation.target_groups:
        if (wait := unanswered(group, step.rollout)) is not None:
            return wait
    return None


def unanswered(group: TargetGroup, rollout: Rollout) -> Wait | None:
    """Return why the group's answer does not count, ``None`` if it does."""
    seen = rollout.observation
    if group.targets is None:
        return Wait(
            group.problem or Reason.TARGET_HEALTH_STALE, group.detail or f"{group.name} has not answered yet"
        )
    age = seen.now - group.asked_at
    if age <= seen.tuning.stale_after:
        return None
    why = f": {group.detail}" if group.detail else ""
    return Wait(
        group.problem or Reason.TARGET_HEALTH_STALE,
        f"the last answer about {group.name} is older than {seen.tuning.stale_after:g}s{why}",
    )


def not_shifted(step: Step) -> Wait | None:
    """No zonal shift is active: the other zones carry the requests of the one that is shifted away."""
    seen = step.rollout.observation
    zone_of = {pod.ip: pod.zone for pod in seen.pods}
    for group in seen.target_groups:
        away = {zone_of.get(target.id) or target.id for target in group.targets or () if target.shifted}
        if away:
            message = f"requests to {group.name} are shifted away from {shortened(sorted(away))}"
            return Wait(Reason.ZONAL_SHIFT, message)
    return None


def alarms_quiet(step: Step) -> Wait | None:
    """No alarm that the user names is firing, and none is unknown; the way back waits for none of them."""
    seen = step.rollout.observation
    if step.rollout.rolling_back:
        return None
    if (fires := alarms.firing(seen)) is not None:
        return Wait(Reason.ALARM_FIRING, fires)
    unknown = alarms.unknown(seen)
    return None if unknown is None else Wait(Reason.ALARM_UNKNOWN, unknown)


def settled(step: Step) -> Wait | None:
    """The controllers have done what the last change asked of them."""
    missing = step.rollout.unsettled
    if missing is None:
        return None
    return Wait(Reason.WAITING_FOR_PODS, "; ".join((missing, *causes.refusals(step.rollout))))


def healthy(step: Step) -> Wait | None:
    """Every new pod serves: Ready, and healthy in every target group."""
    pods = step.rollout.placed_pods
    count = step.rollout.serving.count(pods)
    if count == len(pods):
        return None
    why = shortened(causes.of(pods, step.rollout.serving))
    return Wait(Reason.WAITING_FOR_HEALTH, f"{count} of {len(pods)} new pods serve; {why}")


def stable(step: Step) -> Wait | None:
    """The new pods have served without a break for as long as the user asks."""
    seen = step.rollout.observation
    wanted, since = seen.policy.stable_for, seen.memory.serving_since
    if wanted == 0 or not step.rollout.new_pods or (since is not None and seen.now - since >= wanted):
        return None
    message = f"all new pods serve, and are to do so for {wanted:g}s without a break"
    return Wait(Reason.WAITING_FOR_HEALTH, message)


def drained(step: Step) -> Wait | None:
    """No target of an earlier retired pod is still draining."""
    if unknown := list(unasked(step.rollout)):
        return Wait(Reason.WAITING_FOR_DRAIN, shortened(unknown))
    if not step.draining:
        return None
    names = {group.arn: group.name for group in step.rollout.observation.target_groups}
    left = [
        explained(target, names[each.target_group])
        for each, target in still_registered(step.draining, step.rollout)
    ]
    if left:
        return Wait(Reason.TARGET_STILL_REGISTERED, f"{shortened(left)}, although its pod has ended")
    which = shortened([f"{each.id}:{each.port} in {names[each.target_group]}" for each in step.draining])
    return Wait(Reason.WAITING_FOR_DRAIN, f"draining: {which}")


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


def baked(step: Step) -> Wait | None:
    """The last step has had its time, without a pod that did not serve; not so where it leads back."""
    seen = step.rollout.observation
    since = seen.now if seen.memory.baking_since is None else seen.memory.baking_since
    missing = since + seen.policy.bake - seen.now
    if not seen.policy.bake or not step.rollout.new_pods or missing <= 0 or step.rollout.rolling_back:
        return None
    return Wait(Reason.BAKING, f"the step is complete, and bakes for {seen.policy.bake:g}s", missing)


def zone_baked(step: Step) -> Wait | None:
    """The last zone whose old pods are all gone has had its time, if zones go one after the other."""
    seen = step.rollout.observation
    since = seen.memory.zone_since
    missing = 0.0 if since is None else since + seen.policy.zone_bake - seen.now
    if not seen.policy.zone_by_zone or missing <= 0 or step.rollout.rolling_back:
        return None
    message = f"{seen.memory.zone} is next, {seen.policy.zone_bake:g}s after the zone before it"
    return Wait(Reason.BAKING, message, missing)


def approved(step: Step) -> Wait | None:
    """Somebody has approved of more new pods, wherever that is asked for; nobody is asked on the way back."""
    rollout = step.rollout
    if approvals_due(rollout) <= rollout.observation.memory.approved or rollout.rolling_back:
        return None
    how = f"kubectl annotate saferollout {rollout.observation.name} {ACTION_ANNOTATION}=approve"
    message = f"{rollout.new} of {rollout.deployment.replicas} pods are new: {how}"
    return Wait(Reason.WAITING_FOR_APPROVAL, message, UNHURRIED)


def approvals_due(rollout: Rollout) -> int:
    """Return how many points of approval have been reached."""
    return sum(point <= rollout.new for point in rollout.approval_points)


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
    serving = step.rollout.serving
    leaving = [pod for pod in step.plan.victims if pod.name not in serving.why_not]
    lost = zones.serving_by_zone(leaving)
    now = zones.serving_by_zone(serving.pods)
    after = Counter({zone: count - lost[zone] for zone, count in now.items()})
    return [
        f"{zone} would keep {after[zone]} of at least {step.floors[zone]} serving pods without"
        f" {shortened([pod.name for pod in leaving if pod.zone == zone])}"
        for zone in zones.below(after, lost, step.floors)
    ]


def _way_out(step: Step) -> str:
    """What the scheduler did, and what to write so that it does otherwise."""
    kept = [zone for zone, floor in step.floors.items() if floor]
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


def capacity_kept(step: Step) -> Wait | None:
    """As many pods serve afterwards as have to at every moment, or nothing that serves is taken."""
    serving = step.rollout.serving
    leaving = serving.count(step.plan.victims)
    left, wanted = len(serving.pods) - leaving, step.rollout.least_serving
    if leaving == 0 or left >= wanted:
        return None
    why = shortened(serving.reasons(step.rollout.old_pods))
    return Wait(Reason.CAPACITY_LOW, f"{left} of {wanted} pods would be left serving; {why}")


def aged(step: Step) -> Wait | None:
    """The new pods have been Ready for as long as the user asks, and long enough to be fenced."""
    rollout = step.rollout
    seen = rollout.observation
    fence = float(rollout.users.min_ready_seconds)
    if rollout.in_place or not rollout.last_batch:
        fence = max(fence, seen.tuning.least_fence)
    missing = fences.wait_for(rollout.placed_pods, seen.now, fence)
    if missing == 0:
        return None
    return Wait(
        Reason.WAITING_FOR_READY_AGE,
        f"new pods must have been Ready for {fence + fences.MARGIN:g}s before the next release",
        look_again=missing,
    )


def order_settled(step: Step) -> Wait | None:
    """What makes the chosen pods go first is written, and the controllers have had time to learn it."""
    seen = step.rollout.observation
    ranked = step.plan.ranked
    walled = first_to_go(step.rollout)
    if not ranked and not walled:
        return None
    missing = step.planned_at + seen.tuning.settle - seen.now
    written = all(pod.deletion_cost == LOWEST_COST for pod in ranked) and not any(
        each.available for each in walled
    )
    if written and missing <= 0:
        return None
    which = shortened([*(pod.name for pod in ranked), *(each.name for each in walled)])
    return Wait(Reason.SETTLING, f"the controllers learn what goes first: {which}", max(missing, 0.1))


Gate = Callable[[Step], Wait | None]

GATES: tuple[Gate, ...] = (
    targets_known,
    not_shifted,
    alarms_quiet,
    settled,
    healthy,
    stable,
    drained,
    zones_known,
    capacity_kept,
    aged,
    order_settled,
    baked,
    zone_baked,
    approved,
    zones_kept,
)


def first_closed(step: Step, gates: Iterable[Gate] = GATES) -> Wait | None:
    """Return the wait of the first closed gate that nobody has had skipped, ``None`` if all are open."""
    skipped = step.rollout.observation.memory.skipped
    waits = (wait for gate in gates if (wait := gate(step)) is not None)
    return next((wait for wait in waits if wait.reason not in skipped), None)
