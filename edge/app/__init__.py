"""Wires the core to the ports: one `step()` for every platform."""
