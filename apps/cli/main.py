"""The command line: its commands, and what their exit codes mean.

Each command imports what it needs when it runs, so help is quick: nothing heavier than click is imported here.
"""

import click

from apps.cli.ask import ask
from apps.cli.cancel import cancel
from apps.cli.doctor import doctor
from apps.cli.down import down
from apps.cli.evaluate import evaluate
from apps.cli.exits import Commands, verbose_option
from apps.cli.expert_worker import expert_worker
from apps.cli.keys import keys
from apps.cli.kinds import kinds
from apps.cli.mcp import mcp
from apps.cli.models import models
from apps.cli.page import page
from apps.cli.plan import plan
from apps.cli.prune import prune
from apps.cli.resume import resume
from apps.cli.serve import serve
from apps.cli.status import status
from apps.cli.submit import submit
from apps.cli.trace import trace
from apps.cli.up import up
from hugginggpt import __version__

EPILOG = """\b
Exit codes:
  0    completed
  1    failed: there is no plan, or it cannot run, or none of its tasks completed; something that the
       command needs is out of reach, or an id is not in the trace
  2    wrong usage: the request, a file, an option or a setting cannot be used, or the file given
       with --plan contains no plan
  3    partial: some tasks, or some elements of a list, failed or were skipped, or the answer is a
       plain list of results
  130  interrupted by Ctrl-C
  143  interrupted by SIGTERM
"""


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EPILOG)
@click.version_option(__version__, prog_name="hugginggpt", message="%(prog)s %(version)s")
@verbose_option
def main() -> None:
    """An LLM plans AI work, expert models from the Hugging Face Hub do it, and Prefect runs it.

    Start with `hugginggpt doctor`, which checks what works here, and `hugginggpt ask`.
    """


for command in (
    ask,
    submit,
    cancel,
    resume,
    plan,
    mcp,
    page,
    trace,
    up,
    serve,
    down,
    status,
    kinds,
    keys,
    models,
    doctor,
    evaluate,
    prune,
    expert_worker,
):
    main.add_command(command)
