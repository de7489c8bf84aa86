"""Whole rollouts in virtual time: whatever happens to them, the contract holds and they complete."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from model.site import NAMESPACE, Setting, Site
from model.watcher import ZONE, Watcher
from saferollout.api.names import COST_BEFORE_ANNOTATION, DELETION_COST_ANNOTATION, LEDGER_ANNOTATION
from saferollout.api.reasons import Reason
from saferollout.sim.objects import annotations_of, is_deleting, labels_of
from saferollout.sim.resources import NODES, REPLICA_SETS
from saferollout.sim.store import Object

EXAMPLES = int(os.environ.get("SAFEROLLOUT_EXAMPLES", "100"))
"""How many rollouts a property looks at: more where they are quick, fewer where they are long."""

LONG = 6 * 3600.0
"""Seconds of virtual time in which every rollout here has to end."""


def rollouts(share: float) -> settings:
    """Look at a share of so many rollouts."""
    return settings(
        max_examples=max(1, round(share * EXAMPLES)),
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],  # a rollout that is stuck takes too long to be shrunk
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


surges = st.one_of(st.integers(1, 8), st.integers(1, 100).map(lambda percent: f"{percent}%"))


@st.composite
def sites(draw: st.DrawFn, *, most: int = 12) -> Setting:
    """Draw a Deployment, its zones and its timings. One of four makes its steps in place."""
    in_place = draw(st.integers(0, 3)) == 0
    return Setting(
        # Small ones are quick to look at, and most of what there is to find is there.
        replicas=draw(st.integers(1, 4) | st.integers(1, 4) | st.integers(1, most)),
        zones=draw(st.integers(1, 4)),
        max_surge=0 if in_place else draw(surges),
        max_unavailable=draw(surges) if in_place else 0,
        growth=draw(st.sampled_from([1, 1, 2, 3])),
        zone_by_zone=draw(st.booleans()),
        # A floor that the scheduler cannot keep is a hold by right: see test_holds.
        min_healthy=0,
        startup=draw(st.sampled_from([0.2, 2.0, 20.0])),
        registration=draw(st.sampled_from([0.0, 10.0, 120.0])),
        deregistration=draw(st.sampled_from([0.0, 30.0, 300.0])),
        users_min_ready=draw(st.sampled_from([0, 0, 5, 30])),
        poll=draw(st.sampled_from([2.0, 10.0, 30.0, 30.0])),
        seed=draw(st.integers(0, 1000)),
        groups=draw(st.integers(1, 2)),
        kind=draw(st.sampled_from(["alb", "nlb"])),
    )


@st.composite
def full_sites(draw: st.DrawFn) -> Setting:
    """Draw a Deployment in a cluster without room for one pod more."""
    return replace(draw(sites(most=8)), max_surge=0, max_unavailable=draw(surges), zones=1, full=True)


def at_rest(setting: Setting) -> tuple[Site, Watcher]:
    """Return a site whose Deployment is adopted and serves in full."""
    site = Site(setting)
    assert site.run_until(lambda: is_at_rest(site), 3600), site.operator.last
    watcher = Watcher(site)
    watcher.passed.update(pod["metadata"]["name"] for pod in site.pods)
    return site, watcher


def is_at_rest(site: Site) -> bool:
    """Whether the operator says so, and everything serves."""
    decisions = site.operator.decisions
    if not decisions or not site.operator.alive:
        return False
    last = site.operator.last
    return (
        last.reason is Reason.COMPLETE
        and last.change is None
        and last.picture.serving == site.deployment["spec"]["replicas"]
        and site.deployment["status"].get("observedGeneration") == site.deployment["metadata"]["generation"]
        and site.deployment["status"].get("updatedReplicas", 0) == site.deployment["spec"]["replicas"]
    )


def assert_completed(site: Site, watcher: Watcher, tag: str) -> None:
    """Assert that the rollout ends with the image, without a breach, and without a trace once given back."""
    completed = site.run_until(lambda: is_at_rest(site) and image(site) == {f"web:{tag}"}, LONG, step=5.0)
    assert completed, f"stuck: {site.operator.last.reason} {site.operator.last.message}"
    assert watcher.breaches == []
    assert site.deployment["spec"].get("paused") is None
    assert site.deployment["spec"].get("minReadySeconds", 0) == site.setting.users_min_ready
    site.operator.deleting = True
    site.operator.start()
    site.run(5.0)
    assert site.operator.last.gone
    assert_no_trace(site)


def assert_no_trace(site: Site) -> None:
    """Assert that the Deployment and its pods are as if there had been no operator."""
    ours = {"template", "replicas"}
    spec = {name: value for name, value in site.deployment["spec"].items() if name not in ours}
    assert spec == {name: value for name, value in site.original.items() if name not in ours}
    assert not [name for name in annotations_of(site.deployment) if "saferollout" in name]
    for pod in site.pods:
        assert not {COST_BEFORE_ANNOTATION, DELETION_COST_ANNOTATION} & annotations_of(pod).keys()
    for each in site.store.list(REPLICA_SETS, NAMESPACE):
        assert each["spec"].get("minReadySeconds", 0) < 10**6
        assert LEDGER_ANNOTATION not in annotations_of(each)


def unchosen(site: Site) -> int:
    """Return how many pods went in the place of chosen ones, as the operator has told."""
    return sum(each.unchosen for each in site.operator.decisions)


def image(site: Site) -> set[str]:
    """Return the images of the pods that are here to stay."""
    return {pod["spec"]["containers"][0]["image"] for pod in site.pods if not is_deleting(pod)}


@rollouts(1.5)
@given(setting=sites())
def test_given_any_deployment_when_the_image_changes_then_it_rolls_out_within_the_contract(
    setting: Setting,
) -> None:
    site, watcher = at_rest(setting)
    site.change_image("v2")
    assert_completed(site, watcher, "v2")
    assert unchosen(site) == 0


@rollouts(2)
@given(setting=full_sites())
def test_given_no_room_for_more_pods_when_the_image_changes_then_no_more_than_a_step_is_missing_at_any_moment(
    setting: Setting,
) -> None:
    site, watcher = at_rest(setting)
    site.change_image("v2")
    assert_completed(site, watcher, "v2")


def test_given_no_replicas_when_the_image_changes_then_the_new_revision_is_there_for_the_next_scale_up() -> (
    None
):
    site, _ = at_rest(Setting(replicas=0))
    site.change_image("v2")
    assert site.run_until(lambda: len(site.store.list(REPLICA_SETS, NAMESPACE)) == 2, 60)
    site.scale(2)
    assert site.run_until(lambda: is_at_rest(site) and image(site) == {"web:v2"}, 600)


@rollouts(1.5)
@given(
    setting=sites(),
    deaths=st.lists(st.tuples(st.integers(0, 6), st.floats(0.0, 90.0), st.floats(0.0, 900.0)), max_size=4),
)
def test_given_any_deployment_when_the_operator_dies_anywhere_then_the_contract_holds_and_it_completes(
    setting: Setting, deaths: list[tuple[int, float, float]]
) -> None:
    site, watcher = at_rest(setting)
    site.change_image("v2")
    for writes, after, absent in deaths:
        site.run(after)
        site.operator.die_after = writes
        if site.run_until(lambda: not site.operator.alive, 300.0, step=0.5):
            paused = site.deployment["spec"].get("paused", False)
            # In mid-release the fence is what holds, and it holds for as long as it is high.
            fence = site.deployment["spec"].get("minReadySeconds", 0)
            site.run(absent if paused else min(absent, fence / 2))
            site.operator.start()
        site.operator.die_after = None
    assert_completed(site, watcher, "v2")
    assert unchosen(site) == 0


@rollouts(2)
@given(
    setting=sites(most=8),
    changes=st.lists(
        st.tuples(st.floats(0.0, 200.0), st.sampled_from(["v1", "v2", "v3", "v4"])), min_size=1, max_size=4
    ),
)
def test_given_a_rollout_when_other_templates_come_in_the_middle_then_the_last_one_is_rolled_out(
    setting: Setting, changes: list[tuple[float, str]]
) -> None:
    site, watcher = at_rest(setting)
    site.change_image("v2")
    for after, tag in changes:
        site.run(after)
        site.change_image(tag)
    assert_completed(site, watcher, changes[-1][1])


@rollouts(0.3)
@given(setting=sites(most=8), started=st.floats(0.0, 100.0))
def test_given_an_image_that_fails_its_checks_when_an_hour_goes_by_then_nothing_was_retired_for_it(
    setting: Setting, started: float
) -> None:
    site, watcher = at_rest(replace(setting, kind="alb", poll=30.0))
    site.change_image("v2")
    site.run(started)
    retired = len(watcher.retired)
    site.change_image("broken")
    site.run(3600.0)
    good = [pod for pod in site.pods if image_of(pod) != "web:broken" and not is_deleting(pod)]
    assert len(good) >= site.setting.replicas - (watcher.step if site.policy.max_unavailable else 0)
    assert site.operator.last.reason is Reason.HEALTH_TIMEOUT
    # Superseded ones, if any; in place a step, and the one that came before the operator saw the template.
    assert len(watcher.retired) - retired <= watcher.step + bool(site.policy.max_unavailable)
    site.change_image("v3")
    assert_completed(site, watcher, "v3")


@rollouts(3)
@given(setting=sites(most=8), floor=st.one_of(st.integers(1, 3), st.sampled_from(["50%", "100%"])))
def test_given_floors_when_the_image_changes_then_no_zone_goes_below_and_a_hold_names_the_zone(
    setting: Setting, floor: int | str
) -> None:
    site, watcher = at_rest(replace(setting, min_healthy=floor, poll=20.0))
    site.change_image("v2")
    site.run_until(lambda: is_held(site) or (is_at_rest(site) and image(site) == {"web:v2"}), LONG, step=5.0)
    ended = is_at_rest(site)
    assert watcher.breaches == []
    assert ended or site.operator.last.reason is Reason.ZONE_FLOOR
    if floor == 1 and setting.replicas >= setting.zones and not site.policy.max_unavailable:
        assert ended, site.operator.last.message


@rollouts(2)
@given(
    setting=sites(most=8),
    lost_at=st.floats(0.0, 200.0),
    lost_for=st.floats(0.0, 900.0),
    floor=st.integers(0, 1),
)
def test_given_a_zone_that_is_lost_in_the_middle_then_nothing_that_is_needed_goes_and_the_rollout_resumes(
    setting: Setting, lost_at: float, lost_for: float, floor: int
) -> None:
    site, watcher = at_rest(replace(setting, zones=max(2, setting.zones), min_healthy=floor))
    site.change_image("v2")
    site.run(lost_at)
    site.lose_zone("us-east-1a")
    site.run(lost_for)
    site.restore_zone("us-east-1a")
    assert_completed_or_held(site, watcher)


# The replacement of a drained pod serves between the answer by which it does not and its retirement.
@example(
    setting=Setting(4, max_surge="26%", min_healthy=0, startup=0.2, deregistration=0.0, seed=255),
    drains=[(0.55, 2), (0.005, 1), (0.005, 6)],
    floor=0,
)
@rollouts(2)
@given(
    setting=sites(most=8),
    drains=st.lists(st.tuples(st.floats(0.0, 200.0), st.integers(0, 7)), min_size=1, max_size=4),
    floor=st.integers(0, 1),
)
def test_given_nodes_that_are_drained_in_the_middle_then_the_rollout_completes_and_has_counted_what_it_lost(
    setting: Setting, drains: list[tuple[float, int]], floor: int
) -> None:
    site, watcher = at_rest(replace(setting, min_healthy=floor))
    nodes = sorted(node["metadata"]["name"] for node in site.store.list(NODES))
    site.change_image("v2")
    site.run(1.0)
    for after, number in drains:
        site.run(after)
        node = nodes[number % len(nodes)]
        counts = "startedAt" in site.operator.status
        taken = site.pods_on(node)
        watcher.excused |= taken
        before = lost(site)
        site.drain(node)
        site.run(1.0)
        assert lost(site) == before + (len(taken) if counts else 0)
        site.uncordon(node)
    assert_completed_or_held(site, watcher)


@rollouts(1)
@given(
    setting=sites(most=8),
    illnesses=st.lists(
        st.tuples(st.just(0.0) | st.floats(0.0, 60.0), st.integers(0, 11), st.floats(0.1, 60.0)),
        min_size=1,
        max_size=8,
    ),
    floor=st.integers(0, 1),
)
def test_given_pods_that_fall_ill_and_recover_in_the_middle_then_the_contract_holds_and_it_completes(
    setting: Setting, illnesses: list[tuple[float, int, float]], floor: int
) -> None:
    site, watcher = at_rest(replace(setting, min_healthy=floor))
    site.change_image("v2")
    site.run(1.0)
    for after, number, lasting in illnesses:
        site.run(after)
        names = sorted(pod["metadata"]["name"] for pod in site.pods)
        site.fall_ill(names[number % len(names)], lasting)
    assert_completed_or_held(site, watcher)


def assert_completed_or_held(site: Site, watcher: Watcher) -> None:
    """Assert that a rollout that has lost pods keeps the contract, and completes, unless a floor holds it."""
    site.run_until(lambda: is_held(site) or (is_at_rest(site) and image(site) == {"web:v2"}), LONG, step=5.0)
    # What replaces lost pods is no step of the rollout.
    watcher.breaches = [each for each in watcher.breaches if each.promise != "S3"]
    assert watcher.breaches == []
    assert site.operator.last.reason in {Reason.COMPLETE, Reason.ZONE_FLOOR}
    if not site.policy.min_healthy:
        assert_completed(site, watcher, "v2")


def lost(site: Site) -> int:
    """Return how many pods the status says were lost."""
    return sum(each["pods"] for each in site.operator.status.get("lost") or ())


@rollouts(3)
@given(setting=sites(most=16), left=st.integers(0, 16), lost=st.booleans())
def test_given_any_deployment_at_rest_when_it_is_scaled_down_then_its_zones_stay_even(
    setting: Setting, left: int, *, lost: bool
) -> None:
    site, _ = at_rest(setting)
    if lost:
        site.lose_zone("us-east-1a")
        site.restore_zone("us-east-1a")
        assert site.run_until(lambda: is_at_rest(site), 3600)
    site.run(1.0)
    before = by_zone(site)
    site.scale(min(left, setting.replicas))
    site.run(1.0)
    after = by_zone(site)
    shrunk = [count for zone, count in after.items() if count < before[zone]]
    assert not shrunk or max(after.values()) - min(shrunk) <= 1
    assert sum(after.values()) < len(before) or all(after.values())


@rollouts(0.7)
@given(
    setting=sites(most=8),
    sizes=st.lists(st.tuples(st.floats(0.0, 120.0), st.integers(1, 10)), min_size=1, max_size=4),
    floor=st.sampled_from([0, 1, "50%"]),
)
def test_given_a_rollout_when_it_is_scaled_in_the_middle_then_it_completes_at_the_last_size(
    setting: Setting, sizes: list[tuple[float, int]], floor: int | str
) -> None:
    site, _ = at_rest(replace(setting, min_healthy=0 if setting.max_unavailable else floor))
    site.change_image("v2")
    for after, replicas in sizes:
        site.run(after)
        site.scale(replicas)
    # What an autoscaler takes is not taken by steps: nobody watches.
    site.run_until(lambda: is_held(site) or (is_at_rest(site) and image(site) == {"web:v2"}), LONG, step=5.0)
    held = (
        is_held(site) and site.deployment["spec"]["replicas"] < setting.zones
    )  # one for each is not possible
    assert held or is_at_rest(site), f"stuck: {site.operator.last.reason} {site.operator.last.message}"


def by_zone(site: Site) -> Counter[str]:
    """Count the pods that are here to stay, by zone; of a zone that has none there is a count of none."""
    here = Counter(labels_of(pod).get(ZONE, "") for pod in site.pods if not is_deleting(pod))
    return Counter({zone: here[zone] for zone in {labels_of(pod).get(ZONE, "") for pod in site.pods}})


def is_held(site: Site) -> bool:
    """Whether a zone at its floor has kept the rollout for two minutes."""
    memory = site.operator.last.memory
    held = memory.reason is Reason.ZONE_FLOOR and memory.waiting_since is not None
    return held and site.timeline.now - (memory.waiting_since or 0.0) > 120.0


def image_of(pod: Object) -> str:
    """Return the image of a pod."""
    return str(pod["spec"]["containers"][0]["image"])
