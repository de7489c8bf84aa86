"""Elastic Load Balancing as a rollout sees it: target groups, the query endpoint, and where requests go."""
