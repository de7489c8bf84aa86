"""Target groups that nobody names: found on the way from the pods, and followed while that way changes."""

from __future__ import annotations

from saferollout.sim.target_group_bindings import DEFINITION
from scenarios.conftest import Opening
from scenarios.manifests import App, Manifest, target_group, world

APP = App(replicas=2, min_healthy=0, groups=("alb-web", "alb-secure"))


async def test_given_no_target_group_is_named_when_a_new_image_comes_then_it_is_gated_by_all_that_are_found(
    opened: Opening,
) -> None:
    async with opened(world(*map(target_group, APP.groups))) as stage:
        await stage.run(APP, targetGroups=None)
        found = {each["name"]: each["source"] for each in (await stage.status(APP))["targetGroups"]}
        assert found == {
            name: f"TargetGroupBinding {name} (Service web, port http)" for name in ("alb-secure", "alb-web")
        }
        async with stage.observed(APP) as seen:
            await stage.set_image(APP, "web:2")
            await stage.at_rest(APP, "web:2")
        assert await stage.failed_requests(APP, seen.begun) == {}


async def test_given_a_binding_is_named_when_it_is_not_there_yet_then_the_rollout_waits_for_it(
    opened: Opening,
) -> None:
    async with opened(world(*map(target_group, APP.groups))) as stage:
        await stage.install(APP)
        await stage.start_operator()
        await stage.apply(APP.rollout(targetGroups=[{"binding": "later"}, {"service": {"name": "web"}}]))
        await stage.reason_is(APP, "TargetGroupUnresolved")
        assert "there is no TargetGroupBinding later" in (await stage.status(APP))["message"]
        (like, *_) = APP.bindings()
        await stage.apply(like | {"metadata": like["metadata"] | {"name": "later"}})
        await stage.at_rest(APP)


async def test_given_a_rollout_when_its_bindings_go_and_come_back_then_it_holds_and_goes_on(
    opened: Opening,
) -> None:
    async with opened(world(*map(target_group, APP.groups))) as stage:
        await stage.run(APP, targetGroups=None)
        await stage.set_image(APP, "web:2")
        await stage.reason_is(APP, "WaitingForHealth")
        await stage.kubectl("delete", "targetgroupbinding", *APP.groups)
        await stage.reason_is(APP, "NoTargetGroup")
        status = await stage.status(APP)
        assert "no TargetGroupBinding leads to Service web" in status["message"]
        resolved = await stage.condition(APP, "TargetGroupsResolved")
        assert (resolved["status"], resolved["reason"]) == ("False", "NoTargetGroup")
        await stage.apply(*APP.bindings())
        await stage.at_rest(APP, "web:2")


async def test_given_a_rollout_when_another_target_group_is_bound_then_it_is_a_gate_from_then_on(
    opened: Opening,
) -> None:
    late = target_group("alb-late", registration_seconds=600.0)
    app = App(replicas=2, min_healthy=0, groups=("alb-web",))
    async with opened(world(target_group("alb-web"), late)) as stage:
        await stage.run(app, targetGroups=None)
        await stage.set_image(app, "web:2")
        await stage.reason_is(app, "WaitingForHealth")
        more = App(groups=("alb-late",))
        await stage.apply(*more.bindings())

        async def followed() -> bool:
            status = await stage.status(app)
            return "in alb-late" in status["message"] and len(status["targetGroups"]) == 2

        await stage.until(followed, "alb-late is waited for", within=20)
        await stage.kubectl("delete", "targetgroupbinding", "alb-late")
        await stage.at_rest(app, "web:2")


async def test_given_a_port_by_name_when_it_has_another_number_in_the_new_template_then_each_pod_has_its_own(
    opened: Opening,
) -> None:
    app = App(replicas=2, min_healthy=0, groups=("alb-web",))
    async with opened(world(target_group("alb-web"))) as stage:
        await stage.run(app, targetGroups=None)
        moved = [{"name": "web", "image": "web:2", "ports": [{"name": "http", "containerPort": 9090}]}]
        changed = app.deployment()
        changed["spec"]["template"]["spec"]["containers"][0] |= moved[0]
        async with stage.observed(app) as seen:
            await stage.apply(changed)
            await stage.at_rest(app, "web:2")
        assert await stage.failed_requests(app, seen.begun) == {}


def auto_mode() -> Manifest:
    """The TargetGroupBindings of EKS Auto Mode: the same under another group and version."""
    spec = DEFINITION["spec"]
    (version,) = spec["versions"]
    names = spec["names"] | {"singular": "targetgroupbinding"}
    return DEFINITION | {
        "metadata": {"name": "targetgroupbindings.eks.amazonaws.com"},
        "spec": spec | {"group": "eks.amazonaws.com", "names": names, "versions": [version | {"name": "v1"}]},
    }


async def test_given_bindings_of_auto_mode_when_their_kind_comes_and_goes_then_that_is_noticed(
    opened: Opening,
) -> None:
    app = App(replicas=1, min_healthy=0, groups=("alb-web",))
    kind = auto_mode()
    async with opened(world(target_group("alb-web"))) as stage:
        await stage.install(app)
        await stage.start_operator()
        await stage.apply(app.rollout(targetGroups=[{"binding": "auto"}]))
        await stage.reason_is(app, "TargetGroupUnresolved")
        await stage.apply(kind)
        await stage.kubectl(
            "wait", "--for=condition=Established", f"crd/{kind['metadata']['name']}", "--timeout=20s"
        )
        (like,) = app.bindings()
        auto = {"apiVersion": "eks.amazonaws.com/v1", "metadata": like["metadata"] | {"name": "auto"}}
        await stage.apply(like | auto)
        await stage.at_rest(app, within=90)
        (found,) = (await stage.status(app))["targetGroups"]
        assert found["source"] == "TargetGroupBinding auto (Service web, port http)"
        await stage.kubectl("delete", "crd", kind["metadata"]["name"], "--timeout=20s")
        await stage.reason_is(app, "TargetGroupUnresolved", within=90)
