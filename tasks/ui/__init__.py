"""What Prefect's pages show of a run: its name and tags, its artifacts, and the progress of its tasks."""
