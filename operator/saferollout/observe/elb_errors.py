"""What went wrong with a question to ELBv2: a reason, and a sentence that says what to do."""

from __future__ import annotations

from collections.abc import Mapping

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
        "nothing, it is asked again less often; if this stays, see what else in the account calls ELBv2"
    ),
    Reason.TARGET_GROUP_NOT_FOUND: "correct the ARN in spec.targetGroups, or create the target group",
    Reason.TARGET_GROUP_MALFORMED: "correct the ARN in spec.targetGroups",
    Reason.TARGET_GROUP_OTHER_REGION: "set AWS_DEFAULT_REGION of the operator to that of the target group",
    Reason.ENDPOINT_UNREACHABLE: (
        "check the operator's network: security groups, NetworkPolicy, NAT or a VPC endpoint for"
        " elasticloadbalancing, and AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2 if it is set"
    ),
    Reason.ELB_ERROR: "nothing, it is asked again; if this stays, see the AWS Health Dashboard",
}

ACTIONS: Mapping[str, str] = {
    "AssumeRole": "sts:AssumeRole on the role of the target group, and have that role trust it"
}
"""What has to be allowed for an operation that is not ELBv2's."""


def explain(error: Exception, operation: str) -> Problem:
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
    remedy = REMEDIES[reason].format(action=ACTIONS.get(operation, f"elasticloadbalancing:{operation}"))
    return Problem(reason, f"{words.rstrip('.: ')}. What to do: {remedy}.")
