"""Benchmarks: figures with stable names, peers side by side in one run, medians and ratios."""
