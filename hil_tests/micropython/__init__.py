"""Real MicroPython as a test device: the pinned WebAssembly build, run under node."""
