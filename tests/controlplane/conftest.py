"""What the tests of this folder share."""

from controlplane.fixtures import plane, real_cluster, released, subject

__all__ = ["plane", "real_cluster", "released", "subject"]
