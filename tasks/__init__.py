"""The stages as Prefect tasks, one module for each; `policies` has their retries, time limits and cache keys."""

from hugginggpt.environment import prepare
from tasks.certificates import share_certificates
from tasks.result_storage import remember_result_storage
from tasks.run_log import leave_out_tracebacks
from tasks.tag_limits import ask_for_tag_limits_seldom
from tasks.tokens import share_tokens

prepare()
leave_out_tracebacks()
share_certificates()
share_tokens()
remember_result_storage()
ask_for_tag_limits_seldom()
