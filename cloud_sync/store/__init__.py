"""Databases for the receiver: the contract, and one module for each product."""
