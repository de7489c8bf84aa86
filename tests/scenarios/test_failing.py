"""Revisions that fail: why they do is told, and what was complete before comes back by the same steps."""

from __future__ import annotations

import json

import pytest

from scenarios.apps import Apps, wrapped
from scenarios.manifests import App, Manifest
from scenarios.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

an_app = Apps(15, prefix="alb", replicas=3, health_timeout="4s")
SITE = an_app.site()


async def image_of(stage: Stage, app: App) -> str:
    """Return the image that the Deployment asks for."""
    template = (await stage.get("deployment", app.name))["spec"]["template"]
    return str(template["spec"]["containers"][0]["image"])


async def annotate(stage: Stage, app: App, action: str) -> None:
    """Ask for an action, as people do, and wait until it has been answered."""
    await stage.kubectl("annotate", "saferollout", app.name, f"saferollout.dev/action={action}")

    async def answered() -> bool:
        found = await stage.get("saferollout", app.name)
        return "saferollout.dev/action" not in found["metadata"].get("annotations", {})

    await stage.until(answered, f"{action} is answered", within=10)


async def patch_template(stage: Stage, app: App, spec: Manifest) -> None:
    """Change fields of the pods' spec."""
    patch = {"spec": {"template": {"spec": spec}}}
    await stage.kubectl("patch", "deployment", app.name, "--type=strategic", "--patch", json.dumps(patch))


@pytest.mark.parametrize(
    ("spec", "cause"),
    [
        ({"containers": [{"name": "web", "image": "web:missing"}]}, "ImagePullBackOff on 1 pod in us-east-1"),
        (
            {"containers": [{"name": "web", "image": "web:crash"}]},
            "crashes (Error, exit code 1) on 1 pod in us-east-1",
        ),
        ({"containers": [{"name": "web", "image": "web:broken"}]}, "(Target.ResponseCodeMismatch: "),
        ({"nodeSelector": {"disk": "golden"}}, "Unschedulable: 0/"),
    ],
    ids=["missing", "crash", "broken", "unschedulable"],
)
async def test_given_a_revision_that_fails_then_it_is_held_with_the_cause_until_another_comes(
    stage: Stage, spec: Manifest, cause: str
) -> None:
    app = an_app()
    await wrapped(stage, app)
    async with stage.observed(app):
        await patch_template(stage, app, spec)
        await stage.reason_is(app, "HealthTimeout", within=30)

        async def told() -> bool:
            return cause in (await stage.status(app))["message"]

        await stage.until(told, f"the message tells {cause}", within=30)
        assert (await stage.status(app))["replicas"]["serving"] == 3
        good = {"nodeSelector": None, "containers": [{"name": "web", "image": "web:2"}]}
        await patch_template(stage, app, good)
        await stage.at_rest(app, "web:2")


async def test_given_a_quota_without_room_then_that_is_the_cause_and_with_room_it_goes_on(
    stage: Stage,
) -> None:
    app = an_app()
    await wrapped(stage, app)
    pods = await stage.none_goes()
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"namespace": "default", "name": "few"},
        "spec": {"hard": {"pods": str(pods)}},
    }
    async with stage.observed(app):
        await stage.apply(quota)

        async def counted() -> bool:
            return bool((await stage.get("resourcequota", "few")).get("status", {}).get("used"))

        await stage.until(counted, "the quota is in force", within=20)
        await stage.set_image(app, "web:2")
        await stage.reason_is(app, "HealthTimeout", within=30)
        assert "exceeded quota: few" in (await stage.status(app))["message"]
        await stage.kubectl("delete", "resourcequota", "few")
        await stage.at_rest(app, "web:2", within=90)


async def test_given_a_policy_that_denies_the_new_pods_then_that_is_the_cause_and_without_it_it_goes_on(
    stage: Stage,
) -> None:
    app = an_app()
    await wrapped(stage, app)
    policy, binding = denying(app)
    async with stage.observed(app):
        await stage.apply(policy, binding)
        pod = ("run", "probe", "--image=web:1", f"--labels=app={app.name}", "--dry-run=server")

        async def in_force() -> bool:
            return "denied request: not today" in await stage.kubectl(*pod, check=False)

        await stage.until(in_force, "the policy is in force", within=20)
        await stage.set_image(app, "web:2")
        await stage.reason_is(app, "HealthTimeout", within=30)
        assert "denied request: not today" in (await stage.status(app))["message"]
        await stage.kubectl("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", app.name)
        await stage.at_rest(app, "web:2", within=90)


def denying(app: App) -> tuple[Manifest, Manifest]:
    """A policy that lets no pod of the app in any more, and its binding."""
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    meant = {"resourceRules": [pods], "objectSelector": {"matchLabels": {"app": app.name}}}
    validations = [{"expression": "false", "message": "not today"}]
    group = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": app.name}}
    policy = {"failurePolicy": "Fail", "matchConstraints": meant, "validations": validations}
    binding = {"policyName": app.name, "validationActions": ["Deny"]}
    return (
        {**group, "kind": "ValidatingAdmissionPolicy", "spec": policy},
        {**group, "kind": "ValidatingAdmissionPolicyBinding", "spec": binding},
    )


async def test_given_rollback_when_a_revision_fails_then_the_one_before_comes_back_and_it_is_not_tried_again(
    stage: Stage,
) -> None:
    app = an_app()
    await wrapped(stage, app, onFailure="Rollback")
    async with stage.observed(app):
        await stage.set_image(app, "web:broken")
        await stage.reason_is(app, "RolledBack", within=60)
        assert await image_of(stage, app) == "web:1"
        status = await stage.status(app)
        assert status["phase"] == "Degraded"
        assert status["replicas"] == {"desired": 3, "updated": 3, "serving": 3, "draining": 0}
        assert "Target.ResponseCodeMismatch" in status["failed"]["cause"]
        assert [each["outcome"] for each in status["history"]] == ["RolledBack"]
        assert {"RolloutFailed", "RolledBack"} <= {*await stage.told(app)}
        # A GitOps tool brings the failing one back.
        await stage.set_image(app, "web:broken")
        await stage.reason_is(app, "RevisionFailed")
        await annotate(stage, app, "retry")
        await stage.reason_is(app, "RolledBack", within=60)
        assert await image_of(stage, app) == "web:1"
        await stage.set_image(app, "web:2")
        await stage.at_rest(app, "web:2")
        assert "failed" not in await stage.status(app)


async def test_given_rollback_when_pods_fail_in_the_last_bake_then_the_revision_before_comes_back(
    stage: Stage,
) -> None:
    app = an_app()
    gates = app.rollout()["spec"]["gates"] | {"bake": "8s"}
    await wrapped(stage, app, onFailure="Rollback", gates=gates, step={"maxSurge": 3})
    async with stage.observed(app) as seen:
        seen.expects_breaches = True  # a pod that stops serving by itself is nobody's promise
        await stage.set_image(app, "web:2")

        async def last_bake() -> bool:
            status = await stage.status(app)
            sizes = status["replicas"]["updated"], status["replicas"]["serving"]
            return (*sizes, status["reason"], status["summary"]["step"]) == (3, 3, "Baking", "1/1")

        await stage.until(last_bake, "it bakes for the last time", within=60)

        async def only_new() -> bool:
            return len(seen.observer.samples[-1].live) == 3

        await stage.until(only_new, "no old pod is left", within=60)
        name = next(iter(seen.observer.samples[-1].live))
        await stage.kubectl("annotate", "pod", name, "sim.saferollout.dev/ready=never")
        await stage.reason_is(app, "RolledBack", within=90)
        assert await image_of(stage, app) == "web:1"


async def test_when_somebody_aborts_in_mid_rollout_then_the_revision_before_comes_back(stage: Stage) -> None:
    app = an_app(replicas=4)
    await wrapped(stage, app)
    async with stage.observed(app):
        await stage.set_image(app, "web:2")
        await stage.step_is(app, 2)
        await annotate(stage, app, "abort")
        await stage.reason_is(app, "RolledBack", within=90)
        assert await image_of(stage, app) == "web:1"
    (aborted,) = (each.message for each in await stage.events(app) if each.reason == "RolloutAborted")
    assert aborted.startswith("kubectl-annotate aborted the rollout of revision")


async def test_given_points_of_approval_then_so_many_pods_are_new_and_no_more_until_somebody_approves(
    stage: Stage,
) -> None:
    app = an_app(replicas=4, step=4)
    await wrapped(stage, app, approvals=[1, "50%"])
    async with stage.observed(app, step=2):
        await stage.set_image(app, "web:2")
        for updated in (1, 2):
            await stage.reason_is(app, "WaitingForApproval", within=40)
            status = await stage.status(app)
            assert (status["phase"], status["replicas"]["updated"]) == ("Paused", updated)
            await annotate(stage, app, "approve")
            await stage.step_is(app, updated + 1)
        await stage.at_rest(app, "web:2")
    assert (await stage.told(app)).count("RolloutApproved") == 2


async def test_given_a_bake_then_every_step_has_its_time_the_last_one_too(stage: Stage) -> None:
    app = an_app(replicas=2, min_healthy=0)
    await wrapped(stage, app, gates=app.rollout()["spec"]["gates"] | {"bake": "2s"})
    async with stage.observed(app):
        await stage.set_image(app, "web:2")
        for _ in range(2):
            await stage.reason_is(app, "Baking", within=40)
            updated = (await stage.status(app))["replicas"]["updated"]
            if updated == 1:
                await stage.step_is(app, 2)
        await stage.at_rest(app, "web:2")


async def test_when_somebody_skips_the_gate_of_targets_that_drain_for_long_then_the_next_step_comes(
    stage: Stage,
) -> None:
    app = an_app(replicas=2, min_healthy=0)
    await wrapped(stage, app)
    async with stage.observed(app) as seen:
        seen.expects_breaches = True  # somebody has said so
        await stage.set_image(app, "web:2")
        await stage.reason_is(app, "WaitingForDrain", within=40)
        await annotate(stage, app, "skip-gate")
        (skipped,) = (each.message for each in await stage.events(app) if each.reason == "GateSkipped")
        assert skipped.startswith("kubectl-annotate had")
        await stage.at_rest(app, "web:2", within=90)


async def test_when_somebody_asks_for_what_cannot_be_done_then_an_event_says_why_not(stage: Stage) -> None:
    app = an_app(replicas=2)
    await wrapped(stage, app)
    for action in ("approve", "abort", "retry", "skip-gate", "explode"):
        await annotate(stage, app, action)
    assert (await stage.told(app)).count("ActionRefused") == 5
    assert (await stage.status(app))["phase"] == "Idle"
