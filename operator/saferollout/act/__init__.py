"""Doing it: the only writes to Deployments, ReplicaSets, pods and status."""
