"""A local Azure ML that the unmodified azure-ai-ml SDK talks to over HTTPS."""
