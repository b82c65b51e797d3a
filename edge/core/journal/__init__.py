"""The append-only journal: records, their hash chain, their time."""
