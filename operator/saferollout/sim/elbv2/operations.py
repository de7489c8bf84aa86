"""The operations of ELBv2 that a rollout and a load balancer controller use, on a set of target groups."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from saferollout.sim.elbv2.config import TargetGroupConfig
from saferollout.sim.elbv2.health import Address, Health
from saferollout.sim.elbv2.query import Fault, Query, Reply
from saferollout.sim.elbv2.target_group import TargetGroup

TargetGroups = Mapping[str, TargetGroup]
"""Target groups by ARN."""

Operation = Callable[[TargetGroups, Query], Reply]

_TARGET_GROUP_ARN = re.compile(
    r"arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:\d{12}:targetgroup/[A-Za-z0-9-]{1,32}/[0-9a-f]{16}"
)
_INSTANCE_ID = re.compile(r"i-[0-9a-f]{8,17}")
_PAGE = 400

_NO_OVERRIDE = {
    "State": "no_override",
    "Reason": "AdministrativeOverride.NoOverride",
    "Description": "No override is currently active on target",
}
_SHIFT = {
    "State": "zonal_shift_active",
    "Reason": "AdministrativeOverride.ZonalShiftActive",
    "Description": "Zonal shift is active on target",
}


def describe_target_health(groups: TargetGroups, query: Query) -> Reply:
    """Answer for all targets, or for those asked for: one that is not registered is ``unused`` then."""
    group = _group(groups, query)
    included = {"AnomalyDetection", "All"} & set(query.texts("Include"))
    asked = query.queries("Targets")
    if asked:
        found = [(address, group.health(address)) for address in _addresses(group.config, asked)]
    else:
        found = [(target.address, target.health) for target in group.describe()]
    zones = {target.address: target.zone for target in group.describe()}
    return {
        "TargetHealthDescriptions": [
            {
                "Target": {"Id": address.id, "Port": address.port, "AvailabilityZone": zones.get(address)},
                "HealthCheckPort": str(group.config.health_check.port or address.port),
                "TargetHealth": _health(health),
                "AnomalyDetection": {"Result": "normal", "MitigationInEffect": "no"} if included else None,
                "AdministrativeOverride": _SHIFT if zones.get(address) in group.shifted else _NO_OVERRIDE,
            }
            for address, health in found
        ]
    }


def describe_target_groups(groups: TargetGroups, query: Query) -> Reply:
    """Answer for all target groups, or those of the given ARNs or names, a page at a time."""
    found = [group.config for group in groups.values()]
    if arns := query.texts("TargetGroupArns"):
        found = [_find(groups, arn).config for arn in arns]
    elif names := query.texts("Names"):
        found = [config for config in found if config.name in names]
        if len(found) < len(set(names)):
            raise Fault("TargetGroupNotFound", "One or more target groups not found")
    start, size = query.number("Marker", 0), query.number("PageSize", _PAGE)
    if not 1 <= size <= _PAGE:
        raise Fault("ValidationError", f"'{size}' is not a valid page size: give 1 to {_PAGE}")
    following = start + size
    return {
        "TargetGroups": [_target_group(config) for config in found[start:following]],
        "NextMarker": str(following) if following < len(found) else None,
    }


def describe_target_group_attributes(groups: TargetGroups, query: Query) -> Reply:
    """Answer with the attributes that say how targets leave and where requests may go."""
    config = _group(groups, query).config
    attributes = {
        "deregistration_delay.timeout_seconds": f"{config.deregistration_delay_seconds:.0f}",
        "stickiness.enabled": "false",
        "load_balancing.cross_zone.enabled": str(config.kind == "alb" or config.cross_zone).lower(),
    }
    if config.kind == "nlb":
        attributes |= {
            "deregistration_delay.connection_termination.enabled": "false",
            "target_health_state.unhealthy.connection_termination.enabled": str(
                config.unhealthy_draining_seconds == 0
            ).lower(),
            "target_health_state.unhealthy.draining_interval_seconds": (
                f"{config.unhealthy_draining_seconds:.0f}"
            ),
        }
    return {"Attributes": [{"Key": key, "Value": value} for key, value in attributes.items()]}


def describe_tags(groups: TargetGroups, query: Query) -> Reply:
    """Answer that the target groups have no tags."""
    arns = [_find(groups, arn).config.arn for arn in query.texts("ResourceArns")]
    return {"TagDescriptions": [{"ResourceArn": arn, "Tags": []} for arn in arns]}


def register_targets(groups: TargetGroups, query: Query) -> Reply:
    """Register every target, or none if one of them cannot be."""
    group = _group(groups, query)
    for address in _addresses(group.config, query.queries("Targets")):
        group.register(address)
    return {}


def deregister_targets(groups: TargetGroups, query: Query) -> Reply:
    """Begin the end of every target."""
    group = _group(groups, query)
    for address in _addresses(group.config, query.queries("Targets")):
        group.deregister(address)
    return {}


OPERATIONS: dict[str, Operation] = {
    "DescribeTargetHealth": describe_target_health,
    "DescribeTargetGroups": describe_target_groups,
    "DescribeTargetGroupAttributes": describe_target_group_attributes,
    "DescribeTags": describe_tags,
    "RegisterTargets": register_targets,
    "DeregisterTargets": deregister_targets,
}


def _group(groups: TargetGroups, query: Query) -> TargetGroup:
    return _find(groups, query.text("TargetGroupArn"))


def _find(groups: TargetGroups, arn: str) -> TargetGroup:
    if not _TARGET_GROUP_ARN.fullmatch(arn):
        raise Fault("ValidationError", f"'{arn}' is not a valid target group ARN")
    if (group := groups.get(arn)) is None:
        raise Fault("TargetGroupNotFound", f"Target groups '{arn}' not found")
    return group


def _addresses(config: TargetGroupConfig, targets: list[Query]) -> list[Address]:
    return [
        Address(_valid_id(config, target.text("Id")), target.number("Port", config.port))
        for target in targets
    ]


def _valid_id(config: TargetGroupConfig, target: str) -> str:
    if config.target_type == "instance":
        if not _INSTANCE_ID.fullmatch(target):
            raise Fault("ValidationError", f"Instance ID '{target}' is not valid")
        return target
    if config.target_type == "ip":
        try:
            address = ip_address(target)
        except ValueError:
            raise Fault("ValidationError", f"The IP address '{target}' is not a valid IPv4 address") from None
        if address not in ip_network(config.network):
            message = f"The target '{target}' is not in the same VPC as the target group"
            raise Fault("InvalidTarget", message)
    return target


def _health(health: Health) -> dict[str, Any]:
    return {
        "State": str(health.state),
        "Reason": health.reason or None,
        "Description": health.description or None,
    }


def _target_group(config: TargetGroupConfig) -> dict[str, Any]:
    check = config.health_check
    http = config.check_protocol.startswith("HTTP")
    return {
        "TargetGroupArn": config.arn,
        "TargetGroupName": config.name,
        "Protocol": config.protocol,
        "Port": config.port,
        "VpcId": "vpc-0123456789abcdef0",
        "HealthCheckProtocol": config.check_protocol,
        "HealthCheckPort": str(check.port or "traffic-port"),
        "HealthCheckEnabled": check.enabled,
        "HealthCheckIntervalSeconds": round(check.interval_seconds),
        "HealthCheckTimeoutSeconds": round(check.timeout_seconds),
        "HealthyThresholdCount": check.healthy_threshold,
        "UnhealthyThresholdCount": check.unhealthy_threshold,
        "HealthCheckPath": check.path if http else None,
        "Matcher": {"HttpCode": "200" if config.kind == "alb" else "200-399"} if http else None,
        "LoadBalancerArns": [_load_balancer_arn(config)] if config.attached else [],
        "TargetType": config.target_type,
        "ProtocolVersion": "HTTP1" if config.protocol.startswith("HTTP") else None,
        "IpAddressType": "ipv4",
    }


def _load_balancer_arn(config: TargetGroupConfig) -> str:
    prefix, _, suffix = config.arn.partition(":targetgroup/")
    return f"{prefix}:loadbalancer/{'app' if config.kind == 'alb' else 'net'}/{suffix}"
