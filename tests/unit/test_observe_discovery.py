"""The way from a Deployment to its target groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from saferollout.api.model import ServiceRef, TargetGroupRef
from saferollout.api.reasons import Reason
from saferollout.decide.answers import TargetGroup
from saferollout.decide.workload import Labels
from saferollout.observe.discovery import Found, Resolved, Ways, resolve
from saferollout.observe.records import Binding, Service, ServicePort
from saferollout.observe.roles import Role

WEB: Labels = frozenset({("app", "web"), ("tier", "front")})
ARN = "arn:web"
SERVICE = Service("shop", "web", "uid-web", frozenset({("app", "web")}), (ServicePort(80, "http", "web"),))
BINDING = Binding("shop", "web-tg", "uid-web-tg", ARN, "web", "http", shared=False)
FOUND = Found(ARN, "TargetGroupBinding web-tg (Service web, port http)", ("web",))


def found(
    *asked: Mapping[str, Any],
    services: Iterable[Service] = (SERVICE,),
    bindings: Iterable[Binding] = (BINDING,),
    revisions: Iterable[Labels] = (WEB,),
) -> Resolved:
    references = [TargetGroupRef.model_validate(each) for each in asked]
    return resolve(references, revisions, Ways(list(services), list(bindings)))


def problem(resolved: Resolved) -> tuple[Reason, str]:
    assert not resolved.groups
    (only,) = resolved.problems
    return only.reason, only.message


def test_labels_lead_to_a_service_and_on_to_a_binding_and_its_target_group() -> None:
    assert found() == Resolved((FOUND,))


def test_a_service_that_asks_for_more_labels_than_the_pods_have_is_not_theirs() -> None:
    other = replace(SERVICE, selector=frozenset({("app", "web"), ("tier", "back")}))
    reason, message = problem(found(services=[other]))
    assert reason is Reason.NO_TARGET_GROUP
    assert "no Service selects its pods" in message


def test_a_service_without_a_selector_selects_nobody() -> None:
    assert not found(services=[replace(SERVICE, selector=frozenset())]).groups


def test_a_service_without_a_load_balancer_is_named() -> None:
    reason, message = problem(found(bindings=[]))
    assert reason is Reason.NO_TARGET_GROUP
    assert "no TargetGroupBinding leads to Service web" in message


def test_a_service_that_selects_the_old_pods_only_still_counts() -> None:
    new: Labels = frozenset({("app", "shop")})
    assert found(revisions=[new, WEB]).groups == (FOUND,)


def test_a_pod_behind_two_bindings_is_in_two_target_groups() -> None:
    secure = replace(SERVICE, ports=(*SERVICE.ports, ServicePort(443, "https", 3443)))
    other = replace(BINDING, name="secure", arn="arn:secure", port=443)
    groups = found(services=[secure], bindings=[BINDING, other]).groups
    assert [(each.arn, each.ports) for each in groups] == [("arn:secure", (3443,)), (ARN, ("web",))]


def test_two_bindings_of_one_target_group_are_one_with_both_ports() -> None:
    service = replace(SERVICE, ports=(*SERVICE.ports, ServicePort(81, "more", 8081)))
    other = replace(BINDING, name="zz", port="more", shared=True)
    (group,) = found(services=[service], bindings=[BINDING, other]).groups
    assert (group.ports, group.shared) == (("web", 8081), True)
    assert group.source.startswith(FOUND.source)


def test_a_binding_is_found_by_its_name() -> None:
    assert found({"binding": "web-tg"}, revisions=[]).groups == (FOUND,)


def test_a_service_is_found_by_its_name_with_every_port_that_is_bound() -> None:
    assert found({"service": {"name": "web"}}, revisions=[]).groups == (FOUND,)


def test_the_port_of_a_service_may_be_written_by_number_where_the_binding_has_its_name() -> None:
    assert found({"service": {"name": "web", "port": 80}}).groups == (FOUND,)


def test_another_port_of_the_service_is_another_target_group() -> None:
    reason, message = problem(found({"service": {"name": "web", "port": 443}}))
    assert reason is Reason.TARGET_GROUP_UNRESOLVED
    assert "no TargetGroupBinding leads to Service web, port 443" in message


def test_an_arn_that_is_given_is_taken_as_it_is_with_any_port() -> None:
    assert found({"arn": "arn:other"}).groups == (Found("arn:other", "spec"),)


def test_a_role_comes_from_the_spec_or_from_the_binding() -> None:
    role = Role("arn:aws:iam::210987654321:role/seen", "agreed")
    asked = {"arn": "arn:other", "assumeRole": {"arn": role.arn, "externalId": "agreed"}}
    assert found(asked).groups == (Found("arn:other", "spec", role=role),)
    assert found(bindings=[replace(BINDING, role=role)]).groups == (replace(FOUND, role=role),)


def test_a_target_group_given_by_arn_and_by_binding_is_one_with_any_port() -> None:
    (group,) = found({"arn": ARN}, {"binding": "web-tg"}).groups
    assert (group.arn, group.ports) == (ARN, ())


def test_a_binding_that_is_not_there_is_named_and_the_others_are_still_found() -> None:
    resolved = found({"binding": "nothing"}, {"binding": "web-tg"})
    assert resolved.groups == (FOUND,)
    assert [each.reason for each in resolved.problems] == [Reason.TARGET_GROUP_UNRESOLVED]
    assert "there is no TargetGroupBinding nothing" in resolved.problems[0].message


def test_a_binding_whose_target_group_is_not_known_yet_is_waited_for() -> None:
    reason, message = problem(found(bindings=[replace(BINDING, arn=None)]))
    assert reason is Reason.TARGET_GROUP_UNRESOLVED
    assert "web-tg has no targetGroupARN yet" in message


def test_a_binding_to_a_port_that_the_service_lacks_is_named() -> None:
    reason, message = problem(found(bindings=[replace(BINDING, port="metrics")]))
    assert reason is Reason.TARGET_GROUP_UNRESOLVED
    assert "leads to port metrics of Service web, which is not there" in message


NAMES = st.sampled_from(["web", "api", "db"])
LABELS = st.frozensets(st.tuples(st.sampled_from(["app", "tier"]), NAMES), max_size=2)
PORTS = st.one_of(NAMES, st.sampled_from([80, 443]))
SERVICES = st.builds(
    Service,
    st.just("shop"),
    NAMES,
    NAMES,
    LABELS,
    st.lists(
        st.builds(ServicePort, st.sampled_from([80, 443]), NAMES, PORTS),
        max_size=2,
        unique_by=lambda p: p.number,
    ).map(tuple),
)
BINDINGS = st.builds(
    Binding,
    st.just("shop"),
    NAMES,
    NAMES,
    st.one_of(st.none(), NAMES.map("arn:{}".format)),
    NAMES,
    PORTS,
    st.booleans(),
)
ASKED = st.lists(
    st.one_of(
        NAMES.map(lambda name: TargetGroupRef(arn=f"arn:{name}")),
        NAMES.map(lambda name: TargetGroupRef(binding=name)),
        st.builds(lambda name, port: TargetGroupRef(service=ServiceRef(name=name, port=port)), NAMES, PORTS),
    ),
    max_size=3,
)


@given(
    ASKED,
    st.lists(LABELS, max_size=2),
    st.lists(SERVICES, max_size=3, unique_by=lambda each: each.name),
    st.lists(BINDINGS, max_size=4, unique_by=lambda each: each.name),
)
def test_whatever_there_is_nothing_found_is_said_and_nothing_is_found_twice(
    asked: list[TargetGroupRef], revisions: list[Labels], services: list[Service], bindings: list[Binding]
) -> None:
    ways = Ways(services, bindings)
    resolved = resolve(asked, revisions, ways)
    assert resolved.groups or resolved.problems, "never a pass"
    arns = [each.arn for each in resolved.groups]
    assert arns == sorted(set(arns))
    assert resolve(asked, reversed(revisions), Ways(services[::-1], bindings[::-1])).groups == resolved.groups


def test_the_ports_of_a_target_group_are_those_of_its_kind_of_targets() -> None:
    on_nodes = replace(SERVICE, ports=(ServicePort(80, "http", "web", on_nodes=30080),))
    (way,) = found(services=[on_nodes]).groups
    assert way.answered(TargetGroup(ARN, "web", target_type="ip")).ports == ("web",)
    assert way.answered(TargetGroup(ARN, "web", target_type="instance")).ports == (30080,)
