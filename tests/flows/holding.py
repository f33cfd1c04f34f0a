"""Hold a slot of the controller in a process of its own: `python -m tests.flows.holding`. It says when it does."""

import time

from prefect import flow

from tasks.limits import controller_slot


@flow
def hold() -> None:
    """Hold it for longer than a test takes."""
    with controller_slot(None):
        print("held", flush=True)
        time.sleep(600)


if __name__ == "__main__":
    hold()
