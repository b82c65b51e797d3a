"""The HTTP API: a store's views for whoever has a token of their tenant."""
