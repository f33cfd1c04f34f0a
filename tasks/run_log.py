"""What the log of a flow or task run says of an error that this project raises on purpose: one line.

Prefect logs every exception with its traceback, and right behind it the state that the run ended in, with the error's
sentence as its message. The second line is enough where the error is one of ours; a traceback is for surprises.
"""

import logging

from hugginggpt.errors import HuggingGPTError


def leave_out_tracebacks() -> None:
    """Have the logs of flow and task runs in this process leave out tracebacks of our own errors."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(_is_no_traceback_of_ours)


def _is_no_traceback_of_ours(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HuggingGPTError)
