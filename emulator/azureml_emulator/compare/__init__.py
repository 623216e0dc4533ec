"""Does the local Azure ML answer as the real one does? A short list of calls, made to both, and what differs."""
