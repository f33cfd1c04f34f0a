"""`down`: stop what `up` started."""

import click

from apps.cli.exits import verbose_option

SECONDS = 120.0
"""How long everything may take to stop."""


@click.command(short_help="Stop everything that `up` started.")
@verbose_option
def down() -> None:
    """Stop everything that `hugginggpt up` started for this HUGGINGGPT_HOME, and wait until it is gone.

    This includes the parts that an `up` left running when it was killed. Running requests are stopped, and
    `hugginggpt resume` continues them. The exit code is 0 even if nothing was up.
    """
    from apps.up.supervisor import take_down
    from hugginggpt.settings import get_settings

    home = get_settings().home_dir
    click.echo(f"Stopped everything for {home}." if take_down(home, SECONDS) else f"Nothing is up for {home}.")
