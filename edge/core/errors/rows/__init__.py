"""The rows of the error table, one module an area."""
