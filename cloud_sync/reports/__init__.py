"""Reports from a store: exact sums of intervals, each figure with its explanation."""
