"""The gateway: bus to journal to batch. Importing this package runs nothing."""

VERSION = "0.1.0"
