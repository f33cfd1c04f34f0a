"""Keeps an installation in order: deletes what nothing needs any more, and loads models before they are needed."""
