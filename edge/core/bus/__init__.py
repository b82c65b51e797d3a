"""Modbus RTU as bytes and decisions: frames, device profiles, read plans, turns on the bus."""
