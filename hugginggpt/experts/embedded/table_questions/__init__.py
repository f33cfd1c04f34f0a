"""Rules that answer questions about tables."""
