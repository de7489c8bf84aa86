"""Bad input: a condition with a reason and a remedy, the Deployment untouched, and on it goes once mended."""

from __future__ import annotations

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
from scenarios.stage import Stage
from scenarios.told import Told, deployed, named, reason_of, set_strategy, untouched, without_rules

pytestmark = pytest.mark.asyncio(loop_scope="module")

_numbers = count(1)  # trouble has to stay with whom it belongs to: all of them share an operator

HERE = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup"
FUNCTION = target_group("function", target_type="lambda")
BALANCER = target_group("balancer", target_type="alb")
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
    await stage.apply(app.service(), *app.bindings(), app.rollout())
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
    await set_strategy(stage, app, "RollingUpdate")
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
            await stage.apply(named(name, app.rollout()))
            await reason_of(stage, name, "DeploymentAlreadyWrapped")
            told = (await stage.get("saferollout", name))["status"]["message"]
            assert f"saferollout/{app.name} has this Deployment already: delete one of the two" in told
        await stage.kubectl("delete", "saferollout", "youngest", "--timeout=15s")
        assert await stage.reason(app) == "Complete"
    await stage.kubectl("delete", "saferollout", app.name, "--timeout=15s")
    await reason_of(stage, "younger", "Complete")
    assert (await stage.deployment(app))["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    await stage.kubectl("delete", "saferollout", "younger", "--timeout=15s")
    assert await stage.deployment(app) == before


TROUBLES: dict[str, tuple[Manifest, Told]] = {
    "denied": ({"error": "AccessDenied"}, Told("AccessDenied", "allow the operator's IAM role elastic")),
    "expired": ({"error": "ExpiredToken"}, Told("NoCredentials", "give the operator's service account")),
    "throttled": ({"error": "Throttling"}, Told("Throttled", "nothing, it is asked again", stalled=False)),
    "broken": ({"error": "InternalFailure"}, Told("ELBError", "AWS Health Dashboard", stalled=False)),
    "silent": ({"silent": True}, Told("EndpointUnreachable", "check the operator's network", stalled=False)),
}


SITE = world(target_group("web"), *map(target_group, TROUBLES), FUNCTION, BALANCER, EUROPE)


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
    "a step of fewer pods than none": (
        {"step": {"maxSurge": -1}},
        "spec.step.maxSurge in body should be greater than or eq",
    ),
    "a floor below none": ({"zones": {"minHealthy": -1}}, "spec.zones.minHealthy in body should be greater"),
    "a floor above 100 %": ({"zones": {"minHealthy": "101%"}}, "spec.zones.minHealthy in body should match"),
    "no duration": (
        {"gates": {"drain": {"timeout": "soon"}}},
        "spec.gates.drain.timeout in body should match",
    ),
    "a number for a duration": ({"gates": {"drain": {"timeout": 20}}}, "in body must be of type string"),
    "a target group of too many letters": (
        {"targetGroups": [{"arn": "a" * 257}]},
        "spec.targetGroups[0].arn: Too long: may not be more than 256 bytes",
    ),
    "a Service without a name": (
        {"targetGroups": [{"service": {"port": 80}}]},
        "spec.targetGroups[0].service.name: Required value",
    ),
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


STORED: dict[str, Manifest] = {
    'spec.step.maxSurge is "150%": write 0 or more pods, or a percent from 0% to 100% such as 50%': {
        "step": {"maxSurge": "150%"}
    },
    'spec.gates.drain.timeout is "soon": write a duration above zero such as 90s, 10m or 1h30m': {
        "gates": {"drain": {"timeout": "soon"}}
    },
    'such as 50%; spec.zones.minHealthy is "all": write 0 or more pods': {
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
