"""What the kube-proxies do for targets of type ``instance``: a port of every Node leads to some ready pod."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from saferollout.sim.elbv2.health import Address
from saferollout.sim.objects import is_deleting
from saferollout.sim.resources import NODES, PODS, SERVICES
from saferollout.sim.store import Object, Store
from saferollout.sim.target_group_bindings import addresses, instance_of, is_true


class NodePorts:
    """Follows node ports to pods: ready ones, on the Node itself with ``externalTrafficPolicy: Local``.

    The pods of a port take turns. Changes of readiness are known at once, which real ones are not.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turn = count()

    def node(self, instance: str) -> Object | None:
        """The Node that is this instance."""
        return next((each for each in self._store.list(NODES) if instance_of(each) == instance), None)

    def leads_to(self, address: Address) -> Address | None:
        """The pod that a new connection to a Node's port ends at, ``None`` if it is refused."""
        node = self.node(address.id)
        pods = [] if node is None else list(self._pods(node["metadata"]["name"], address.port))
        return pods[next(self._turn) % len(pods)] if pods else None

    def _pods(self, node: str, port: int) -> Iterator[Address]:
        for service in self._store.list(SERVICES):
            local = service["spec"].get("externalTrafficPolicy") == "Local"
            for each in service["spec"].get("ports") or ():
                if each.get("nodePort") != port:
                    continue
                pods = self._store.list(PODS, service["metadata"]["namespace"])
                for pod, address in addresses(service, each["port"], pods):
                    if (
                        is_true(pod, "Ready")
                        and not is_deleting(pod)
                        and (not local or pod["spec"].get("nodeName") == node)
                    ):
                        yield address
