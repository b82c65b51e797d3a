"""Activity to carbon: streams, flue gas, accounting by interval."""
