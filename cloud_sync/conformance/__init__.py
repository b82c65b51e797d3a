"""The conformance kit: a gateway that behaves well, badly and worse, for anybody's receiver."""
