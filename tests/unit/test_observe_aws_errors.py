"""ARNs, and what is made of the ways in which a question to ELBv2 can fail."""

from __future__ import annotations

import pytest
from botocore import exceptions as boto
from hypothesis import given
from hypothesis import strategies as st

from saferollout.api.reasons import Reason
from saferollout.observe.arn import EXAMPLE, TargetGroupArn
from saferollout.observe.aws_errors import CODES, EXCEPTIONS, REMEDIES, explain
from saferollout.observe.backoff import Backoff

HEALTH = "DescribeTargetHealth"


def refused(code: str, operation: str = HEALTH) -> boto.ClientError:
    return boto.ClientError({"Error": {"Code": code, "Message": "because"}}, operation)


@pytest.mark.parametrize(
    ("partition", "region"),
    [
        ("aws", "us-east-1"),
        ("aws-cn", "cn-north-1"),
        ("aws-us-gov", "us-gov-west-1"),
        ("aws-iso-b", "us-isob-east-1"),
        ("aws-eusc", "eusc-de-east-1"),
    ],
)
def test_arns_of_every_partition_are_read(partition: str, region: str) -> None:
    arn = EXAMPLE.replace("arn:aws:", f"arn:{partition}:").replace("us-east-1", region)
    assert TargetGroupArn.parse(arn) == TargetGroupArn(region, "111122223333", "web")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "web",
        EXAMPLE + "/",
        EXAMPLE + "\n",
        EXAMPLE.replace("targetgroup/", "loadbalancer/app/"),
        EXAMPLE.replace("elasticloadbalancing", "ec2"),
        EXAMPLE.replace("111122223333", "1111"),
        EXAMPLE.replace("us-east-1", ""),
        EXAMPLE.replace("/web/", "/" + "x" * 33 + "/"),
    ],
)
def test_anything_else_is_not_an_arn_of_a_target_group(text: str) -> None:
    assert TargetGroupArn.parse(text) is None


@pytest.mark.parametrize(("code", "reason"), CODES.items())
def test_an_error_code_has_its_reason_and_a_remedy(code: str, reason: Reason) -> None:
    problem = explain(refused(code), HEALTH)
    assert problem.reason is reason
    assert problem.message.startswith(f"{HEALTH}: {code}: because. What to do: ")


@pytest.mark.parametrize("code", ["HealthUnavailable", "InternalFailure", "503", ""])
def test_any_other_error_is_one_of_elb(code: str) -> None:
    assert explain(refused(code), HEALTH).reason is Reason.ELB_ERROR


def test_access_denied_names_the_action_to_allow() -> None:
    assert "elasticloadbalancing:DescribeTargetHealth" in explain(refused("AccessDenied"), HEALTH).message


def test_a_refusal_on_the_way_to_credentials_is_about_credentials() -> None:
    problem = explain(refused("AccessDenied", "AssumeRoleWithWebIdentity"), HEALTH)
    assert problem.reason is Reason.NO_CREDENTIALS


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (boto.NoCredentialsError(), Reason.NO_CREDENTIALS),
        (boto.PartialCredentialsError(provider="env", cred_var="x"), Reason.NO_CREDENTIALS),
        (boto.UnauthorizedSSOTokenError(), Reason.NO_CREDENTIALS),
        (boto.EndpointConnectionError(endpoint_url="http://x"), Reason.ENDPOINT_UNREACHABLE),
        (boto.ConnectTimeoutError(endpoint_url="http://x"), Reason.ENDPOINT_UNREACHABLE),
        (boto.ReadTimeoutError(endpoint_url="http://x"), Reason.ENDPOINT_UNREACHABLE),
        (boto.SSLError(endpoint_url="http://x", error=OSError("expired")), Reason.ENDPOINT_UNREACHABLE),
        (boto.ConnectionClosedError(endpoint_url="http://x"), Reason.ENDPOINT_UNREACHABLE),
        (boto.NoRegionError(), Reason.TARGET_GROUP_OTHER_REGION),
        (ValueError("Invalid endpoint: nowhere"), Reason.ELB_ERROR),
        (RuntimeError(), Reason.ELB_ERROR),
    ],
)
def test_what_botocore_raises_has_its_reason(error: Exception, reason: Reason) -> None:
    assert explain(error, HEALTH).reason is reason


def test_every_reason_has_a_remedy() -> None:
    assert {*CODES.values(), *EXCEPTIONS.values()} <= REMEDIES.keys()


@given(st.floats(0.01, 10), st.integers(1, 100), st.floats(0, 60))
def test_backoff_doubles_up_to_its_most_and_starts_over_after_success(
    first: float, failures: int, at_least: float
) -> None:
    backoff = Backoff(first, 30.0)
    for n in range(failures):
        whole = min(30.0, first * 2.0**n)
        assert at_least + whole / 2 <= backoff.failed(at_least=at_least) <= at_least + whole
    backoff.succeeded()
    assert backoff.failed() <= first
