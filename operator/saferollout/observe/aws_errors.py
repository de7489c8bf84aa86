"""What went wrong with a question to AWS: a reason, and a sentence that says what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    MetadataRetrievalError,
    NoAuthTokenError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as EndpointError

from saferollout.api.plain import plain, shortened_to
from saferollout.api.reasons import Reason
from saferollout.decide.observation import Problem

CODES: Mapping[str, Reason] = {
    **dict.fromkeys(
        ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "OptInRequired"],
        Reason.ACCESS_DENIED,
    ),
    **dict.fromkeys(
        [
            "AuthFailure",
            "ExpiredToken",
            "ExpiredTokenException",
            "IncompleteSignature",
            "InvalidClientTokenId",
            "InvalidSignatureException",
            "MissingAuthenticationToken",
            "NotAuthorized",
            "RequestExpired",
            "SignatureDoesNotMatch",
            "UnrecognizedClientException",
        ],
        Reason.NO_CREDENTIALS,
    ),
    **dict.fromkeys(
        [
            "RequestLimitExceeded",
            "RequestThrottled",
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "TooManyRequestsException",
        ],
        Reason.THROTTLED,
    ),
    **dict.fromkeys(
        ["TargetGroupNotFound", "TargetGroupNotFoundException"],
        Reason.TARGET_GROUP_NOT_FOUND,
    ),
    "ValidationError": Reason.TARGET_GROUP_MALFORMED,
}
"""Error codes of ELBv2 and those common to all AWS APIs (API reference, *Common Errors*)."""


MOST_SAID = 480
"""Characters of what AWS says went wrong that leave room for what to do about it."""


@dataclass(frozen=True, slots=True)
class Service:
    """An AWS service as messages and permissions name it: ``prefix`` is that of its IAM actions.

    ``host`` is the first label of its endpoint, ``setting`` the variable that replaces the endpoint.
    """

    name: str
    prefix: str
    host: str
    setting: str


ELBV2 = Service(
    "ELBv2",
    prefix="elasticloadbalancing",
    host="elasticloadbalancing",
    setting="AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2",
)
CLOUDWATCH = Service(
    "CloudWatch", prefix="cloudwatch", host="monitoring", setting="AWS_ENDPOINT_URL_CLOUDWATCH"
)

EXCEPTIONS: Mapping[type[Exception], Reason] = {
    NoRegionError: Reason.TARGET_GROUP_OTHER_REGION,
    NoCredentialsError: Reason.NO_CREDENTIALS,
    PartialCredentialsError: Reason.NO_CREDENTIALS,
    CredentialRetrievalError: Reason.NO_CREDENTIALS,
    MetadataRetrievalError: Reason.NO_CREDENTIALS,
    NoAuthTokenError: Reason.NO_CREDENTIALS,
    TokenRetrievalError: Reason.NO_CREDENTIALS,
    SSOError: Reason.NO_CREDENTIALS,
    EndpointError: Reason.ENDPOINT_UNREACHABLE,
    HTTPClientError: Reason.ENDPOINT_UNREACHABLE,
}
"""What botocore raises itself, subclasses included."""

REMEDIES: Mapping[Reason, str] = {
    Reason.ACCESS_DENIED: "allow the operator's IAM role {action}",
    Reason.NO_CREDENTIALS: (
        "give the operator's service account an IAM role (EKS Pod Identity or IRSA), or set AWS credentials"
    ),
    Reason.THROTTLED: (
        "nothing, it is asked again less often; if this stays, see what else in the account calls"
        " {service.name}"
    ),
    Reason.TARGET_GROUP_NOT_FOUND: "correct the ARN in spec.targetGroups, or create the target group",
    Reason.TARGET_GROUP_MALFORMED: "correct the ARN in spec.targetGroups",
    Reason.TARGET_GROUP_OTHER_REGION: "set AWS_DEFAULT_REGION of the operator to that of the target group",
    Reason.ENDPOINT_UNREACHABLE: (
        "check the operator's network: security groups, NetworkPolicy, NAT or a VPC endpoint for"
        " {service.host}, and {service.setting} if it is set"
    ),
    Reason.ELB_ERROR: "nothing, it is asked again; if this stays, see the AWS Health Dashboard",
}

ACTIONS: Mapping[str, str] = {
    "AssumeRole": "sts:AssumeRole on the role of the target group, and have that role trust it"
}
"""What has to be allowed for an operation that is not the service's own."""


def explain(error: Exception, operation: str, service: Service = ELBV2) -> Problem:
    """Say what ``error`` means that ``operation`` (such as ``DescribeTargetHealth``) ended with."""
    if isinstance(error, ClientError):
        said = error.response.get("Error", {})
        words = f"{error.operation_name}: {said.get('Code', '')}: {said.get('Message', '')}"
        if error.operation_name != operation:
            reason = Reason.NO_CREDENTIALS  # STS or SSO, on the way to credentials
        else:
            reason = CODES.get(said.get("Code", ""), Reason.ELB_ERROR)
    else:
        words = f"{operation}: {error or type(error).__name__}"
        reason = next(
            (EXCEPTIONS[kind] for kind in type(error).__mro__ if kind in EXCEPTIONS), Reason.ELB_ERROR
        )
    action = ACTIONS.get(operation, f"{service.prefix}:{operation}")
    remedy = REMEDIES[reason].format(action=action, service=service)
    return Problem(reason, f"{shortened_to(MOST_SAID, plain(words)).rstrip('.: ')}. What to do: {remedy}.")


def silence(service: Service) -> Problem:
    """Say that a service has not answered."""
    remedy = REMEDIES[Reason.ENDPOINT_UNREACHABLE].format(service=service)
    return Problem(Reason.ENDPOINT_UNREACHABLE, f"{service.name} does not answer. What to do: {remedy}.")


def waiting_in_line(service: Service) -> Problem:
    """Say that a question has not been put yet, because others come before it."""
    return Problem(
        Reason.THROTTLED,
        f"more answers of {service.name} are awaited than may be asked for at this rate: the question waits"
        " for its turn. What to do: nothing, it only takes longer; or raise --describe-rate if the account's"
        " limit allows it.",
    )
