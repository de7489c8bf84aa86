"""A simulated cluster in virtual time, for tests that say what happens to one Deployment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from saferollout.sim.controllers import Controllers
from saferollout.sim.controllers.ranking import is_active, ready_at
from saferollout.sim.controllers.sizes import by_age, size
from saferollout.sim.kubelet import Kubelet
from saferollout.sim.nodes import new_node
from saferollout.sim.objects import Key, key_of, labels_of
from saferollout.sim.outages import Outages
from saferollout.sim.resources import DEPLOYMENTS, NODES, PODS, REPLICA_SETS
from saferollout.sim.store import Object, Store
from saferollout.sim.timeline import Timeline

START = 1_700_000_000.0
WEB: Key = ("shop", "web")
ZONE = "topology.kubernetes.io/zone"


class Cluster:
    """Three zones of two nodes, and a Deployment ``shop/web`` once `deploy` was called."""

    def __init__(self, *, nodes: int = 2, room: int = 110, speed: float = 1.0, seed: int = 0) -> None:
        self.timeline = Timeline(START, speed=speed)
        self.store = Store(self.timeline, seed=seed)
        for zone in ("us-east-1a", "us-east-1b", "us-east-1c"):
            for number in range(nodes):
                self.store.create(NODES, new_node(f"{zone}-{number}", zone, pods=room))
        self.controllers = Controllers(self.store, self.timeline)
        self.kubelet = Kubelet(self.store, self.timeline)
        self.outages = Outages(self.store, self.timeline, self.kubelet)

    def deploy(
        self,
        *,
        replicas: int = 6,
        surge: int | str = 1,
        unavailable: int | str = 0,
        pod: Mapping[str, Any] | None = None,
        said: Mapping[str, str] | None = None,
        **spec: Any,
    ) -> None:
        """Create ``web``; ``pod`` is merged into the pod's spec, ``said`` are the pod's annotations."""
        container = {"name": "web", "image": "web:1", "ports": [{"containerPort": 80}]}
        rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
        deployment: Object = {
            "metadata": {"namespace": WEB[0], "name": WEB[1]},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": "web"}},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling},
                "template": {
                    "metadata": {"labels": {"app": "web"}, "annotations": dict(said or {})},
                    "spec": {"containers": [container], **(pod or {})},
                },
                **spec,
            },
        }
        self.store.create(DEPLOYMENTS, deployment)

    def settle(self) -> None:
        """Let five minutes pass."""
        self.run(300)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.timeline.run_until(self.timeline.now + seconds)

    def run_until(self, holds: Callable[[], bool], *, within: float = 600) -> None:
        """Let time pass until something holds, millisecond by millisecond."""
        end = self.timeline.now + within
        while not holds():
            following = self.timeline.next_at()
            assert following is not None, "nothing is coming any more"
            assert following <= end, f"not within {within} seconds"
            self.timeline.run_until(following)

    def change(self, *, image: str | None = None, **spec: Any) -> None:
        """Patch ``web`` in one write."""

        def mutate(deployment: Object) -> None:
            deployment["spec"].update(spec)
            if image is not None:
                deployment["spec"]["template"]["spec"]["containers"][0]["image"] = image

        self.store.patch(DEPLOYMENTS, *WEB, mutate)

    def deployment(self) -> Object:
        """``web`` as it is now."""
        return self.store.get(DEPLOYMENTS, *WEB)

    def status(self) -> Object:
        """Its status."""
        found: Object = self.deployment()["status"]
        return found

    def replica_sets(self) -> list[Object]:
        """All ReplicaSets, the newest revision last."""
        return sorted(self.store.list(REPLICA_SETS), key=lambda each: (by_age(each)[0], _image(each)))

    def sizes(self) -> tuple[int, ...]:
        """``spec.replicas`` of all ReplicaSets, the newest revision last."""
        return tuple(map(size, self.replica_sets()))

    def pods(self, image: str | None = None) -> list[Object]:
        """The pods that are not on their way out, of one image or of all."""
        living = [each for each in self.store.list(PODS) if is_active(each)]
        return [each for each in living if image is None or each["spec"]["containers"][0]["image"] == image]

    def ready(self, image: str | None = None) -> list[Object]:
        """Those of `pods` that are Ready."""
        return [each for each in self.pods(image) if ready_at(each) is not None]

    def zones(self) -> Counter[str]:
        """How many of `pods` each zone has."""
        return Counter(labels_of(each)[ZONE] for each in self.pods())

    def pod(self, name: str) -> Object:
        """One pod, on its way out or not."""
        return self.store.get(PODS, WEB[0], name)

    def annotate(self, pod: Object, **said: str) -> None:
        """Annotate a pod."""
        self.store.patch(PODS, *key_of(pod), lambda each: each["metadata"]["annotations"].update(said))


def _image(replica_set: Object) -> str:
    image: str = replica_set["spec"]["template"]["spec"]["containers"][0]["image"]
    return image
