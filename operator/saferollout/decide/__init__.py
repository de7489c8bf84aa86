"""What to do next: pure functions from an Observation to a Decision."""
