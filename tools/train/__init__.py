"""One script per network."""
