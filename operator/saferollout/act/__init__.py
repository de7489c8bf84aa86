"""Doing it: the only writes to Deployments, pods, Events and status."""
