"""The stages as Prefect tasks: one module per stage, with its retries, caching and names."""

from hugginggpt.environment import prepare
from tasks.run_log import leave_out_tracebacks

prepare()
leave_out_tracebacks()
