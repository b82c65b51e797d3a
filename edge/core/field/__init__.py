"""Finding and understanding a bus: what a technician's tools need and a polling board does not."""
