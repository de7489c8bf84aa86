"""What is there: cluster caches, target health, and the snapshot made of them."""
