"""Many workers on Ray."""
