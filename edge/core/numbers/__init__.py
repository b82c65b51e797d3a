"""Integers in every disguise: scaled decimals, register words, MessagePack."""
