"""The main job on one machine: emulated bus, gateway, broker, receiver, and the verdict."""
