"""What kube-controller-manager and kube-scheduler do, as far as a rollout is concerned."""

from saferollout.sim.controllers.manager import Controllers

__all__ = ["Controllers"]
