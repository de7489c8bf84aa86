"""Rolls a Deployment out behind ALB or NLB, one gated step at a time."""
