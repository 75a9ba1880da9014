"""Our speed beside the peers': ``python -m benchmarks``."""
