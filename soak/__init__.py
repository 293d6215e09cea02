"""An hour's soak under faults: whether the daemon's memory, threads and descriptors stay what they were."""
