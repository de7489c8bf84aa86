"""How each part of the control plane finds the others. Whatever is not said here is the release's default."""

from __future__ import annotations

from pathlib import Path

CONTROLLERS = (
    "clusterrole-aggregation-controller",
    "deployment-controller",
    "disruption-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "horizontal-pod-autoscaler-controller",
    "namespace-controller",
    "node-lifecycle-controller",
    "pod-garbage-collector-controller",
    "replicaset-controller",
    "resourcequota-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "taint-eviction-controller",
    "validatingadmissionpolicy-status-controller",
)
"""What a Deployment and its surroundings meet. All fifty would take three seconds longer to log in."""


def etcd(folder: Path, client: str, peer: str) -> list[str]:
    """Return the flags of etcd, given its addresses. Its data need not survive the machine."""
    return [
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def apiserver(folder: Path, etcd: str, port: int) -> list[str]:
    """Return the flags of kube-apiserver. It makes its certificate itself, into the folder."""
    key = folder / "apiserver.key"  # of that certificate; it signs service accounts' tokens too
    return [
        f"--etcd-servers={etcd}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--endpoint-reconciler-type=none",
    ]


def controller_manager(folder: Path, kubeconfig: Path) -> list[str]:
    """Return the flags of kube-controller-manager, whose controllers each have only their own rights.

    Nodes renew no lease (`controlplane.nodes`), and are not taken for silent ones (docs/findings.md, 47).
    """
    return [
        *scheduler(kubeconfig),
        "--use-service-account-credentials",
        f"--root-ca-file={folder / 'apiserver.crt'}",
        f"--controllers={','.join(CONTROLLERS)}",
        "--node-monitor-grace-period=1h",
    ]


def scheduler(kubeconfig: Path) -> list[str]:
    """Return the flags of kube-scheduler."""
    return [f"--kubeconfig={kubeconfig}", "--leader-elect=false", "--secure-port=0"]
