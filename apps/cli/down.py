"""`down`: end what `up` brought up."""

import click

from apps.cli.exits import verbose_option

SECONDS = 120.0
"""How long everything may take to end."""


@click.command(short_help="End everything that `up` brought up.")
@verbose_option
def down() -> None:
    """End everything that `hugginggpt up` brought up for this HUGGINGGPT_HOME, and wait until it is gone.

    It also ends what an `up` that was killed left behind. Requests at work are stopped; `hugginggpt
    resume` goes on with them. The exit code is 0 when nothing was up, too.
    """
    from apps.up.supervisor import take_down
    from hugginggpt.settings import get_settings

    home = get_settings().home_dir
    click.echo(f"All of it is down for {home}." if take_down(home, SECONDS) else f"Nothing is up for {home}.")
