"""The same computations as elsewhere, faster on a CPU; each beside a plain twin that a test compares it with."""
