"""The types that the embedded cluster serves, as one table."""

from __future__ import annotations

from dataclasses import dataclass

STATUS = frozenset({"status"})
STATUS_AND_SCALE = frozenset({"status", "scale"})
STATUS_AND_EVICTION = frozenset({"status", "eviction"})


@dataclass(frozen=True, slots=True)
class Resource:
    """One served type. ``group`` is empty for the core group.

    ``counts_generations`` says that ``metadata.generation`` is kept: not every type of Kubernetes has one.
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    singular: str
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: frozenset[str] = frozenset()
    counts_generations: bool = False

    @property
    def api_version(self) -> str:
        """``v1`` or ``group/version``, as ``apiVersion`` is written."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def key(self) -> str:
        """``deployments.apps``, as error messages and the storage name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


def _kind(  # noqa: PLR0913 - one argument for each column of the table
    api_version: str,
    kind: str,
    plural: str,
    *short_names: str,
    namespaced: bool = True,
    categories: tuple[str, ...] = (),
    subresources: frozenset[str] = frozenset(),
    generations: bool = False,
) -> Resource:
    """Write one row; the singular of every built-in type is its kind in lower case."""
    group, _, version = api_version.rpartition("/")
    singular = kind.lower()
    return Resource(
        group, version, kind, plural, namespaced, singular, short_names, categories, subresources, generations
    )


_ALL = ("all",)
_RBAC = "rbac.authorization.k8s.io/v1"
_ADMISSION = "admissionregistration.k8s.io/v1"

CONFIG_MAPS = _kind("v1", "ConfigMap", "configmaps", "cm")
EVENTS = _kind("v1", "Event", "events", "ev")
RESOURCE_QUOTAS = _kind("v1", "ResourceQuota", "resourcequotas", "quota", subresources=STATUS)
SECRETS = _kind("v1", "Secret", "secrets")
SERVICE_ACCOUNTS = _kind("v1", "ServiceAccount", "serviceaccounts", "sa")
NAMESPACES = _kind("v1", "Namespace", "namespaces", "ns", namespaced=False, subresources=STATUS)
NODES = _kind("v1", "Node", "nodes", "no", namespaced=False, subresources=STATUS)
PODS = _kind("v1", "Pod", "pods", "po", categories=_ALL, subresources=STATUS_AND_EVICTION, generations=True)
SERVICES = _kind("v1", "Service", "services", "svc", categories=_ALL, subresources=STATUS)
DEPLOYMENTS = _kind(
    "apps/v1",
    "Deployment",
    "deployments",
    "deploy",
    categories=_ALL,
    subresources=STATUS_AND_SCALE,
    generations=True,
)
REPLICA_SETS = _kind(
    "apps/v1",
    "ReplicaSet",
    "replicasets",
    "rs",
    categories=_ALL,
    subresources=STATUS_AND_SCALE,
    generations=True,
)
HORIZONTAL_POD_AUTOSCALERS = _kind(
    "autoscaling/v2",
    "HorizontalPodAutoscaler",
    "horizontalpodautoscalers",
    "hpa",
    categories=_ALL,
    subresources=STATUS,
)
POD_DISRUPTION_BUDGETS = _kind(
    "policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", "pdb", subresources=STATUS, generations=True
)
INGRESSES = _kind(
    "networking.k8s.io/v1", "Ingress", "ingresses", "ing", subresources=STATUS, generations=True
)
ENDPOINT_SLICES = _kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices", generations=True)
LEASES = _kind("coordination.k8s.io/v1", "Lease", "leases")
CUSTOM_RESOURCE_DEFINITIONS = _kind(
    "apiextensions.k8s.io/v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    "crd",
    "crds",
    namespaced=False,
    categories=("api-extensions",),
    subresources=STATUS,
    generations=True,
)
MUTATING_POLICIES = _kind(
    _ADMISSION, "MutatingAdmissionPolicy", "mutatingadmissionpolicies", namespaced=False
)
MUTATING_POLICY_BINDINGS = _kind(
    _ADMISSION, "MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings", namespaced=False
)
VALIDATING_POLICIES = _kind(
    _ADMISSION, "ValidatingAdmissionPolicy", "validatingadmissionpolicies", namespaced=False
)
VALIDATING_POLICY_BINDINGS = _kind(
    _ADMISSION, "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", namespaced=False
)

BUILT_IN: tuple[Resource, ...] = (
    CONFIG_MAPS,
    EVENTS,
    NAMESPACES,
    NODES,
    PODS,
    RESOURCE_QUOTAS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    DEPLOYMENTS,
    REPLICA_SETS,
    HORIZONTAL_POD_AUTOSCALERS,
    POD_DISRUPTION_BUDGETS,
    INGRESSES,
    ENDPOINT_SLICES,
    LEASES,
    CUSTOM_RESOURCE_DEFINITIONS,
    _kind(_RBAC, "Role", "roles"),
    _kind(_RBAC, "RoleBinding", "rolebindings"),
    _kind(_RBAC, "ClusterRole", "clusterroles", namespaced=False),
    _kind(_RBAC, "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
    MUTATING_POLICIES,
    MUTATING_POLICY_BINDINGS,
    VALIDATING_POLICIES,
    VALIDATING_POLICY_BINDINGS,
)
"""Everything that is there before any CustomResourceDefinition. What has no behaviour here is only kept."""
