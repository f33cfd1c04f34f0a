"""Answer a request in a process of its own: `python -m tests.flows.answering OPTIONS ID [FILE]`.

It prints whether torch was imported, and the umask it has at the end.
"""

import json
import os
import sys

from flows.answer import answer_request
from hugginggpt.request import RequestOptions

options, request_id, *files = sys.argv[1:]
answer_request(
    "Read it.", files, options=RequestOptions(**json.loads(options)), request_id=request_id, return_state=True
)
print(json.dumps({"torch": "torch" in sys.modules, "umask": os.umask(0)}))
