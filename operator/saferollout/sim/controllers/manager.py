"""All controllers of the embedded cluster, started together."""

from __future__ import annotations

from saferollout.sim.controllers.deployment import DeploymentController
from saferollout.sim.controllers.disruption import DisruptionController
from saferollout.sim.controllers.garbage import GarbageCollector
from saferollout.sim.controllers.ownership import Ownership
from saferollout.sim.controllers.quotas import QuotaController
from saferollout.sim.controllers.replicaset import ReplicaSetController
from saferollout.sim.controllers.scheduler import Scheduler
from saferollout.sim.store import Store
from saferollout.sim.timeline import Timeline


class Controllers:
    """Runs the controllers of Deployments, ReplicaSets and budgets, the scheduler and garbage collector.

    They work from then on whenever the timeline runs. The kubelet is not among them: it is the data plane.
    ReplicaSets hear of a write before Deployments do: in the original a Deployment looks at what it wrote
    only after one more call, for its status, and by then its ReplicaSets are at work.
    """

    def __init__(self, store: Store, timeline: Timeline) -> None:
        ownership = Ownership(store)
        self.quotas = QuotaController(store)
        self.replica_sets = ReplicaSetController(store, timeline, ownership)
        self.deployments = DeploymentController(store, timeline, ownership)
        self.scheduler = Scheduler(store, timeline)
        self.disruption = DisruptionController(store, timeline)
        self.garbage = GarbageCollector(store, timeline, ownership)
