"""From raw API objects to the frozen records: all that the operator ever keeps of an object.

A parser returns ``None`` for an object that nobody here will ask for. Strings that many objects share
are interned, so that ten thousand pods do not hold ten thousand copies of a zone.
"""

from saferollout.observe.records.deployments import deployment, replica_set, template_digest
from saferollout.observe.records.nodes import Node, node
from saferollout.observe.records.pods import pod
from saferollout.observe.records.services import Binding, Service, ServicePort, binding, service

__all__ = [
    "Binding",
    "Node",
    "Service",
    "ServicePort",
    "binding",
    "deployment",
    "node",
    "pod",
    "replica_set",
    "service",
    "template_digest",
]
