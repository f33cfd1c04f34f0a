"""The command line.

Every command imports what it needs when it runs, so that help costs nothing: nothing heavier than
click is imported here.
"""

import click

from apps.cli.ask import ask
from apps.cli.cancel import cancel
from apps.cli.doctor import doctor
from apps.cli.down import down
from apps.cli.evaluate import evaluate
from apps.cli.exits import Commands, verbose_option
from apps.cli.expert_worker import expert_worker
from apps.cli.kinds import kinds
from apps.cli.models import models
from apps.cli.plan import plan
from apps.cli.prune import prune
from apps.cli.resume import resume
from apps.cli.status import status
from apps.cli.submit import submit
from apps.cli.trace import trace
from apps.cli.up import up
from hugginggpt import __version__

EPILOG = """\b
Exit codes:
  0  completed
  1  failed: there is no plan, the given one cannot run, or nothing of it could be done;
     something needed is out of reach, or an id is not in the trace
  2  wrong usage: the request, a file, an option or a setting cannot be accepted as given,
     or --plan names a file without a plan in it
  3  partial: some of the planned tasks could not be done, or the answer is a plain list of results
"""


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EPILOG)
@click.version_option(__version__, prog_name="hugginggpt", message="%(prog)s %(version)s")
@verbose_option
def main() -> None:
    """An LLM plans AI work, expert models from the Hugging Face Hub do it, Prefect runs it.

    `hugginggpt doctor` says what works here; `hugginggpt ask` is the rest.
    """


for command in (
    ask,
    submit,
    cancel,
    resume,
    plan,
    trace,
    up,
    down,
    status,
    kinds,
    models,
    doctor,
    evaluate,
    prune,
    expert_worker,
):
    main.add_command(command)
