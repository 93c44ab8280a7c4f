"""FATE-Serving's gRPC contract: messages by their field numbers, services by their names."""
