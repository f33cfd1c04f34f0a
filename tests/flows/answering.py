"""Answer a request in a process of its own: `python -m tests.flows.answering FILE PLAN ID`."""

import json
import sys

from flows.answer import answer_request
from hugginggpt.request import RequestOptions

file, plan, request_id = sys.argv[1:]
answer_request("Read it.", [file], options=RequestOptions(plan=json.loads(plan)), request_id=request_id)
