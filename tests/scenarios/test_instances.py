"""Target groups of instances: what can be known of a pod there is whether its Node takes requests."""

from __future__ import annotations

import time

from scenarios.conftest import Opening
from scenarios.manifests import App, target_group, world

APP = App(replicas=3, groups=("alb-web",), node_port=30080)
NODES = target_group("alb-web", target_type="instance")


async def test_given_instances_for_targets_then_new_pods_wait_for_their_nodes_and_a_condition_says_so(
    opened: Opening,
) -> None:
    async with opened(world(NODES)) as stage:
        await stage.apply(APP.deployment(), APP.service(), *APP.bindings())
        await stage.start_operator()
        await stage.wrap(APP)
        status = await stage.status(APP)
        (resolved,) = status["targetGroups"]
        assert (resolved["targetType"], resolved["healthy"]) == ("instance", 6)
        told = await stage.condition(APP, "PodsAreTargets")
        assert (told["status"], told["reason"]) == ("False", "InstanceTargets")

        began = time.time()
        await stage.set_image(APP, "web:2")
        await stage.at_rest(APP, "web:2")
        assert await stage.failed_requests(APP, began) == {}

        await stage.kubectl("delete", "targetgroupbinding", *APP.groups)
        await stage.set_image(APP, "web:3")

        async def waits_for_a_node() -> bool:
            return "is not registered in alb-web" in (await stage.status(APP))["message"]

        await stage.until(waits_for_a_node, "a new pod waits for its Node", within=30)
        assert (await stage.status(APP))["replicas"]["updated"] == 1
        await stage.apply(*APP.bindings())
        await stage.at_rest(APP, "web:3")
