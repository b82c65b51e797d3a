"""Gateway to cloud: batches, acknowledgements, MQTT, and what to send next."""
