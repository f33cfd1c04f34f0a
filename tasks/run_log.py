"""Errors that this project raises on purpose take one line in the log of a flow or task run.

Prefect logs every exception with its traceback, and then the final state, whose message is the error's sentence. For an
error of ours, the second entry is enough. Tracebacks are for unexpected exceptions.
"""

import logging

from hugginggpt.errors import HuggingGPTError


def leave_out_tracebacks() -> None:
    """Keep the tracebacks of our own errors out of the logs of flow and task runs in this process."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(_is_not_our_traceback)


def _is_not_our_traceback(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HuggingGPTError)
