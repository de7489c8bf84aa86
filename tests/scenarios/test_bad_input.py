"""Bad input: a condition with a reason and a remedy, the Deployment untouched, and on it goes once mended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from saferollout.api.crd import custom_resource_definition
from scenarios.conftest import Opening
from scenarios.door import door
from scenarios.manifests import App, Manifest, target_group, world
from scenarios.stage import Observation, Stage
from scenarios.told import Told, deployed, untouched

pytestmark = pytest.mark.asyncio(loop_scope="module")

_numbers = count(1)  # trouble has to stay with whom it belongs to: all of them share an operator

LONG_ENOUGH = 3.0
"""Seconds of holding in which a step would have been released."""

HERE = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup"
FUNCTION = target_group("function", target_type="lambda")
BALANCER = target_group("balancer", target_type="alb")
NODES = target_group("nodes", target_type="instance")
EUROPE = target_group("europe", region="eu-west-1")


def small_app(**settings: Any) -> App:
    """Return an app of one pod, with a name of its own."""
    return App(name=f"web-{next(_numbers)}", replicas=1, spread=False, **settings)


WRONG_GROUPS = {
    "an ARN that is none": (
        f"{HERE}/web_1/0123456789abcdef",
        Told("TargetGroupMalformed", "such as arn:aws:"),
    ),
    "an ARN nobody knows": (f"{HERE}/web/0000000000000000", Told("TargetGroupNotFound", "correct the ARN")),
    "one of another Region": (EUROPE.arn, Told("TargetGroupOtherRegion", "AWS_DEFAULT_REGION=eu-west-1")),
    "a lambda group": (FUNCTION.arn, Told("TargetGroupUnsupported", "use target-type ip")),
    "an alb group": (BALANCER.arn, Told("TargetGroupUnsupported", "use target-type ip")),
    "an instance group": (NODES.arn, Told("TargetGroupUnsupported", "use target-type ip")),
}


@pytest.mark.parametrize(("arn", "told"), WRONG_GROUPS.values(), ids=WRONG_GROUPS.keys())
async def test_given_a_wrong_target_group_then_it_says_so_until_the_spec_is_mended(
    stage: Stage, arn: str, told: Told
) -> None:
    app = small_app()
    await deployed(stage, app)
    async with untouched(stage, app):
        await stage.apply(app.rollout(targetGroups=[{"arn": arn}]))
        await told.by(stage, app)
    await stage.wrap(app)


async def test_given_no_deployment_then_it_says_so_until_there_is_one_and_again_when_it_goes(
    stage: Stage,
) -> None:
    app, told = small_app(), Told("DeploymentNotFound", "create it", resolved="True")
    await stage.apply(app.rollout())
    await told.by(stage, app)
    await stage.apply(app.deployment())
    await stage.at_rest(app)
    await stage.kubectl("delete", "deployment", app.name)
    await told.by(stage, app)
    await stage.apply(app.deployment())
    await stage.at_rest(app)


async def test_given_the_strategy_recreate_then_it_says_so_until_it_is_rolling_update(stage: Stage) -> None:
    app = small_app(spec={"strategy": {"type": "Recreate"}})
    await deployed(stage, app)
    async with untouched(stage, app):
        await stage.apply(app.rollout())
        await Told("StrategyUnsupported", "to RollingUpdate", resolved="True").by(stage, app)
    await _set_strategy(stage, app, "RollingUpdate")
    await stage.at_rest(app)


async def test_given_two_saferollouts_then_the_older_has_the_deployment_until_it_is_deleted(
    stage: Stage,
) -> None:
    app = small_app()
    await deployed(stage, app)
    before = await stage.deployment(app)
    await stage.wrap(app)
    async with untouched(stage, app):
        for name in ("younger", "youngest"):
            await stage.apply(_named(name, app.rollout()))
            await _reason_is(stage, name, "DeploymentAlreadyWrapped")
            told = (await stage.get("saferollout", name))["status"]["message"]
            assert f"saferollout/{app.name} has this Deployment already: delete one of the two" in told
        await stage.kubectl("delete", "saferollout", "youngest", "--timeout=15s")
        assert await stage.reason(app) == "Complete"
    await stage.kubectl("delete", "saferollout", app.name, "--timeout=15s")
    await _reason_is(stage, "younger", "Complete")
    assert (await stage.deployment(app))["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    await stage.kubectl("delete", "saferollout", "younger", "--timeout=15s")
    assert await stage.deployment(app) == before


def _named(name: str, manifest: Manifest) -> Manifest:
    return manifest | {"metadata": manifest["metadata"] | {"name": name}}


async def _reason_is(stage: Stage, name: str, reason: str) -> None:
    async def holds() -> bool:
        return bool(((await stage.get("saferollout", name)).get("status") or {}).get("reason") == reason)

    await stage.until(holds, f"the reason of {name} is {reason}", within=20)


TROUBLES = {
    "denied": ({"error": "AccessDenied"}, Told("AccessDenied", "allow the operator's IAM role elastic")),
    "expired": ({"error": "ExpiredToken"}, Told("NoCredentials", "give the operator's service account")),
    "throttled": ({"error": "Throttling"}, Told("Throttled", "nothing, it is asked again", stalled=False)),
    "broken": ({"error": "InternalFailure"}, Told("ELBError", "AWS Health Dashboard", stalled=False)),
    "silent": ({"silent": True}, Told("EndpointUnreachable", "check the operator's network", stalled=False)),
}


SITE = world(target_group("web"), *map(target_group, TROUBLES), FUNCTION, BALANCER, NODES, EUROPE)


@pytest.mark.parametrize("name", TROUBLES)
async def test_given_an_aws_in_trouble_when_a_deployment_is_wrapped_then_it_waits_and_then_goes_on(
    stage: Stage, name: str
) -> None:
    fault, told = TROUBLES[name]
    app = small_app(groups=(name,))  # nobody has asked for this group before
    await deployed(stage, app)
    await stage.faults(fault)
    try:
        async with untouched(stage, app):
            await stage.apply(app.rollout())
            await replace(told, resolved="Unknown").by(stage, app)
    finally:
        await stage.faults()
    await stage.at_rest(app)


async def test_given_no_credentials_when_they_come_then_it_goes_on(opened: Opening, tmp_path: Path) -> None:
    app, file = small_app(), tmp_path / "credentials"
    absent = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    async with opened(world(target_group("web"))) as stage:
        await stage.start_operator(AWS_SHARED_CREDENTIALS_FILE=str(file), **absent)
        await deployed(stage, app)
        async with untouched(stage, app):
            await stage.apply(app.rollout())
            await Told("NoCredentials", "an IAM role", resolved="Unknown").by(stage, app)
        file.write_text("[default]\naws_access_key_id = test\naws_secret_access_key = test\n")
        await stage.at_rest(app)


async def test_given_no_endpoint_when_it_comes_then_it_goes_on(opened: Opening) -> None:
    app = small_app()
    told = Told("EndpointUnreachable", "check the operator's network", stalled=False, resolved="Unknown")
    async with opened(world(target_group("web"))) as stage, door(stage.host.elb) as way:
        await way.shut()
        await stage.start_operator(AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2=way.url)
        await deployed(stage, app)
        async with untouched(stage, app):
            await stage.apply(app.rollout())
            await told.by(stage, app)
        await way.open()
        await stage.at_rest(app)


REFUSED = {
    "a percent above 100": ({"step": {"maxSurge": "150%"}}, "spec.step.maxSurge in body should match"),
    "a step of no pod": (
        {"step": {"maxSurge": 0}},
        "spec.step.maxSurge in body should be greater than or eq",
    ),
    "a floor below none": ({"zones": {"minHealthy": -1}}, "spec.zones.minHealthy in body should be greater"),
    "a floor above 100 %": ({"zones": {"minHealthy": "101%"}}, "spec.zones.minHealthy in body should match"),
    "no duration": (
        {"gates": {"drain": {"timeout": "soon"}}},
        "spec.gates.drain.timeout in body should match",
    ),
    "a number for a duration": ({"gates": {"drain": {"timeout": 20}}}, "in body must be of type string"),
    "no target group": ({"targetGroups": []}, "spec.targetGroups in body should have at least 1 items"),
    "text for true or false": ({"paused": "yes"}, "spec.paused in body must be of type boolean"),
    "a field nobody knows": ({"maxSurge": 2}, 'unknown field "spec.maxSurge"'),
}
"""What the schema alone refuses. Its rules in CEL say more: tests/controlplane/test_crd.py."""


@pytest.mark.parametrize(("wrong", "message"), REFUSED.values(), ids=REFUSED.keys())
async def test_given_a_spec_that_cannot_be_meant_then_kubectl_is_told_so(
    stage: Stage, wrong: Mapping[str, Any], message: str
) -> None:
    app = small_app()
    assert message in await stage.apply(app.rollout(**wrong), check=False)
    assert "NotFound" in await stage.kubectl("get", "saferollout", app.name, check=False)


STORED = {
    'spec.step.maxSurge is "150%": write 1 or more pods, or a percent from 1% to 100% such as 25%': {
        "step": {"maxSurge": "150%"}
    },
    'spec.gates.drain.timeout is "soon": write a duration above zero such as 90s, 10m or 1h30m': {
        "gates": {"drain": {"timeout": "soon"}}
    },
    'such as 25%; spec.zones.minHealthy is "all": write 0 or more pods': {
        "step": {"maxSurge": -1},
        "zones": {"minHealthy": "all"},
    },
}
"""Parts of messages, and the specs that they are about."""


async def test_given_specs_from_before_the_rules_then_the_message_names_field_and_value_and_what_to_write(
    opened: Opening,
) -> None:
    async with opened(world(target_group("web"))) as stage:
        await stage.apply(without_rules(custom_resource_definition()))
        await stage.start_operator()
        for sentence, wrong in STORED.items():
            app = small_app()
            await deployed(stage, app)
            async with untouched(stage, app):
                await stage.apply(app.rollout(**wrong))
                await Told("InvalidSpec", sentence, resolved="Unknown").by(stage, app)
            await stage.wrap(app)


async def test_when_the_spec_goes_wrong_in_mid_rollout_then_nothing_is_retired_until_it_is_mended(
    opened: Opening,
) -> None:
    app = App(replicas=2, min_healthy=0)
    slow = target_group("web", registration_seconds=300)
    wrongs: list[tuple[Mapping[str, Any], str]] = [
        *((wrong, "InvalidSpec") for wrong in STORED.values()),
        ({"targetGroups": []}, "NoTargetGroup"),
        *(({"targetGroups": [{"arn": arn}]}, told.reason) for arn, told in WRONG_GROUPS.values()),
    ]
    async with opened(world(slow, FUNCTION, BALANCER, NODES, EUROPE)) as stage:
        await stage.apply(without_rules(custom_resource_definition()))
        await stage.install(app)
        before = await stage.deployment(app)
        await stage.start_operator()
        await stage.wrap(app)
        async with stage.observed(app) as seen:
            await stage.set_image(app, "web:2")
            await stage.reason_is(app, "WaitingForHealth")
            pods = seen.observer.samples[-1].live.keys()
            for wrong, reason in wrongs:
                await stage.apply(app.rollout(**wrong))
                await stage.reason_is(app, reason)
                assert (await stage.deployment(app))["paused"]
            await _all_serve(stage, seen)
            await asyncio.sleep(LONG_ENOUGH)
            assert seen.observer.samples[-1].live.keys() == pods
            await stage.apply(app.rollout())
            await stage.at_rest(app, "web:2")
        await stage.kubectl("delete", "saferollout", app.name, "--timeout=15s")
        assert await stage.deployment(app) == before


async def test_when_a_second_saferollout_comes_in_mid_rollout_then_the_first_goes_on_as_if_it_were_not_there(
    opened: Opening,
) -> None:
    app = App(replicas=3)
    async with opened(world(target_group("web"))) as stage:
        await stage.install(app)
        await stage.start_operator()
        await stage.wrap(app)
        async with stage.observed(app):
            await stage.set_image(app, "web:2")
            await stage.reason_is(app, "WaitingForHealth")
            await stage.apply(_named("second", app.rollout(step={"maxSurge": 3})))
            await _reason_is(stage, "second", "DeploymentAlreadyWrapped")
            await stage.step_is(app, 2)
            await stage.kubectl("delete", "saferollout", "second", "--timeout=15s")
            await stage.at_rest(app, "web:2")


async def test_when_the_strategy_becomes_recreate_in_mid_rollout_then_it_holds_until_it_is_rolling_update(
    opened: Opening,
) -> None:
    app = App(replicas=2, min_healthy=0)
    async with opened(world(target_group("web"))) as stage:
        await stage.install(app)
        await stage.start_operator()
        await stage.wrap(app)
        async with stage.observed(app) as seen:
            await stage.set_image(app, "web:2")
            await stage.reason_is(app, "WaitingForHealth")
            await _set_strategy(stage, app, "Recreate")
            await stage.reason_is(app, "StrategyUnsupported")
            pods = seen.observer.samples[-1].live.keys()
            await _all_serve(stage, seen)
            await asyncio.sleep(LONG_ENOUGH)
            assert seen.observer.samples[-1].live.keys() == pods
            await _set_strategy(stage, app, "RollingUpdate")
            await stage.at_rest(app, "web:2")


async def _all_serve(stage: Stage, seen: Observation) -> None:
    """Wait until the gate that was waited for would be open."""

    async def holds() -> bool:
        latest = seen.observer.samples[-1]
        return latest.serving.keys() == latest.live.keys()

    await stage.until(holds, "every pod serves", within=20)


async def _set_strategy(stage: Stage, app: App, kind: str) -> None:
    strategy = {"type": kind, "rollingUpdate": None}
    await stage.kubectl(
        "patch",
        "deployment",
        app.name,
        "--type=merge",
        "--patch",
        json.dumps({"spec": {"strategy": strategy}}),
    )


def without_rules(schema: Any) -> Any:
    """Return a schema as it was before it knew its rules: types alone."""
    rules = {"x-kubernetes-validations", "pattern", "minimum", "minItems", "minLength", "maxLength"}
    if isinstance(schema, dict):
        return {name: without_rules(each) for name, each in schema.items() if name not in rules}
    return [without_rules(each) for each in schema] if isinstance(schema, list) else schema
