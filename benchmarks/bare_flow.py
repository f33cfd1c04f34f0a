"""What is run bare: a flow of Prefect's with one task, which does nothing."""

from prefect import flow, task


@task
def nothing() -> None:
    """Do nothing."""


@flow
def bare() -> None:
    """Run one task."""
    nothing()
