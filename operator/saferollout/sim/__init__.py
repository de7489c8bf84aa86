"""An embedded cluster, its load balancers and its clients, for the demo and for tests."""
