"""Which node a pod goes to: filters, then preferences, pure.

After kubernetes ``pkg/scheduler/framework/plugins``: ``nodeunschedulable``, ``nodeaffinity`` (nodeSelector
only), ``tainttoleration``, ``podtopologyspread``, ``noderesources`` (number of pods only). Where the original
draws lots between equal nodes, the name decides.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from saferollout.sim.objects import condition_of, controller_uid, is_deleting, labels_of, selects
from saferollout.sim.store import Object

ZONE = "topology.kubernetes.io/zone"
REGION = "topology.kubernetes.io/region"
HOSTNAME = "kubernetes.io/hostname"

_DEFAULT_SPREAD = ((HOSTNAME, 3), (ZONE, 5))
"""Soft spreading of pods that ask for none: topology and maxSkew (``podtopologyspread``, system defaults)."""

_DEFAULT_CAPACITY = 110


@dataclass(frozen=True, slots=True)
class Site:
    """A node and the pods bound to it, terminating ones included: they hold their place to the end."""

    node: Object
    pods: tuple[Object, ...]

    @property
    def name(self) -> str:
        """The node's name."""
        name: str = self.node["metadata"]["name"]
        return name

    @property
    def room(self) -> int:
        """How many more pods fit."""
        allocatable = (self.node.get("status") or {}).get("allocatable") or {}
        return int(allocatable.get("pods", _DEFAULT_CAPACITY)) - len(self.pods)


@dataclass(frozen=True, slots=True)
class Choice:
    """The node chosen, or ``None`` and why none could be."""

    site: Site | None
    message: str = ""


def choose(pod: Object, sites: Iterable[Site]) -> Choice:
    """Choose a node for ``pod``."""
    everywhere = sorted(sites, key=lambda site: site.name)
    refusals: Counter[str] = Counter()
    possible = []
    spreads = _spreads(pod, everywhere)
    for site in everywhere:
        refusal = _refusal(pod, site, spreads)
        if refusal:
            refusals[refusal] += 1
        else:
            possible.append(site)
    if not possible:
        reasons = ", ".join(f"{count} {why}" for why, count in sorted(refusals.items()))
        return Choice(None, f"0/{len(everywhere)} nodes are available: {reasons or 'there are none'}.")
    soft = [each for each in spreads if not each.hard]
    return Choice(min(possible, key=lambda site: (sum(each.cost(site) for each in soft), len(site.pods))))


@dataclass(frozen=True, slots=True)
class _Spread:
    """One spread constraint, with the matching pods counted in each domain."""

    topology: str
    max_skew: int
    hard: bool
    counts: Mapping[str, int]
    counts_itself: bool

    def refuses(self, site: Site) -> str:
        domain = labels_of(site.node).get(self.topology)
        if not self.hard:
            return ""
        if domain is None:
            return "node(s) didn't match pod topology spread constraints (missing required label)"
        skew = self.counts.get(domain, 0) + self.counts_itself - min(self.counts.values(), default=0)
        return "node(s) didn't match pod topology spread constraints" if skew > self.max_skew else ""

    def cost(self, site: Site) -> float:
        matching = self.counts.get(labels_of(site.node).get(self.topology, ""), 0)
        return matching * math.log(len(self.counts) + 2) + self.max_skew - 1


def _refusal(pod: Object, site: Site, spreads: list[_Spread]) -> str:
    if not _is_ready(site.node):
        return "node(s) were not ready"
    if (site.node.get("spec") or {}).get("unschedulable"):
        return "node(s) were unschedulable"
    if not _tolerated(pod, site.node):
        return "node(s) had untolerated taint(s)"
    if not _selected(pod, site.node):
        return "node(s) didn't match Pod's node affinity/selector"
    if site.room <= 0:
        return "Too many pods"
    return next((refusal for each in spreads if (refusal := each.refuses(site))), "")


def _is_ready(node: Object) -> bool:
    ready = condition_of(node, "Ready")
    return ready is None or ready["status"] == "True"


def _tolerated(pod: Object, node: Object) -> bool:
    """Whether the pod tolerates every taint that keeps pods away."""
    taints = (node.get("spec") or {}).get("taints") or ()
    tolerations = pod["spec"].get("tolerations") or ()
    return all(
        any(_tolerates(toleration, taint) for toleration in tolerations)
        for taint in taints
        if taint["effect"] in {"NoSchedule", "NoExecute"}
    )


def _tolerates(toleration: Object, taint: Object) -> bool:
    # kubernetes staging/src/k8s.io/api/core/v1/toleration.go, ToleratesTaint
    if toleration.get("effect") not in {None, "", taint["effect"]}:
        return False
    if toleration.get("key") not in {None, "", taint["key"]}:
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(toleration.get("value", "") == taint.get("value", ""))


def _selected(pod: Object, node: Object) -> bool:
    return (pod["spec"].get("nodeSelector") or {}).items() <= labels_of(node).items()


def _spreads(pod: Object, sites: list[Site]) -> list[_Spread]:
    eligible = [site for site in sites if _selected(pod, site.node)]
    namespace = pod["metadata"]["namespace"]
    near = [
        (site, each)
        for site in eligible
        for each in site.pods
        if each["metadata"]["namespace"] == namespace and not is_deleting(each)
    ]
    asked = pod["spec"].get("topologySpreadConstraints") or ()
    if not asked:
        owner = controller_uid(pod)
        alike = [site for site, each in near if owner is not None and controller_uid(each) == owner]
        return [
            _Spread(
                topology, skew, hard=False, counts=_counted(topology, eligible, alike), counts_itself=True
            )
            for topology, skew in _DEFAULT_SPREAD
        ]
    spreads = []
    for each in asked:
        selector = _selector(each, pod)
        matching = [site for site, other in near if selects(selector, labels_of(other))]
        spreads.append(
            _Spread(
                each["topologyKey"],
                each["maxSkew"],
                hard=each.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule",
                counts=_counted(each["topologyKey"], eligible, matching),
                counts_itself=selects(selector, labels_of(pod)),
            )
        )
    return spreads


def _selector(constraint: Object, pod: Object) -> Object | None:
    """The constraint's selector, narrowed to pods with the same values of ``matchLabelKeys``."""
    keys = constraint.get("matchLabelKeys") or ()
    selector: Object | None = constraint.get("labelSelector")
    if selector is None or not keys:
        return selector
    own = {key: labels_of(pod)[key] for key in keys if key in labels_of(pod)}
    return {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), **own}}


def _counted(topology: str, eligible: list[Site], matching: list[Site]) -> dict[str, int]:
    domains = (labels_of(site.node).get(topology) for site in eligible)
    counts = {domain: 0 for domain in domains if domain is not None}
    for site in matching:
        domain = labels_of(site.node).get(topology)
        if domain is not None:
            counts[domain] += 1
    return counts
