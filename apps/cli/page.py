"""`page`: a link that opens the page of the HTTP service."""

import click

from apps.cli.exits import COMPLETED, note, verbose_option


@click.command(short_help="Print a link to the page.")
@click.option("--browser", is_flag=True, help="Open it in this machine's browser, too.")
@verbose_option
def page(browser: bool) -> int:
    """Print a link to the page of `hugginggpt up`, where requests are made with a browser.

    The link lets one browser in, once, for 30 days. It replaces the one before.
    """
    from apps.http.paths import ENTER
    from apps.http.sessions import make_link_token
    from hugginggpt.settings import get_settings
    from hugginggpt.up_state import read

    home = get_settings().home_dir
    up = read(home)
    if up is None or not up.is_alive or not up.ready:
        raise click.ClickException("Nothing is up: start the page with `hugginggpt up`.")
    link = f"{up.page_url}{ENTER}?token={make_link_token(home)}"
    click.echo(link)
    if browser and click.launch(link):
        note("No browser could be started: open the link yourself.")
    return COMPLETED
