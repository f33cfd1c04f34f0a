"""What Prefect's pages show of a run: its name and tags, its artifacts, and how far its tasks are."""
