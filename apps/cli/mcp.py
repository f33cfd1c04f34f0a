"""`mcp`: serve an MCP host over stdin and stdout."""

import click

from apps.cli.exits import COMPLETED, note, verbose_option


@click.command(short_help="Serve an MCP host, such as a desktop assistant or an editor.")
@verbose_option
def mcp() -> int:
    """Serve an MCP host, such as a desktop assistant or an editor, over stdin and stdout.

    The host starts this command itself: put it into the host's configuration. It does its work through the
    service of `hugginggpt up` with the same HUGGINGGPT_HOME, and any host that speaks HTTP can use that directly,
    at /mcp.
    """
    from importlib.util import find_spec

    from apps.http.client import find_service
    from apps.http.mcp import MISSING, prepare

    if find_spec("fastmcp") is None:
        raise click.ClickException(MISSING)
    prepare()
    from apps.http.mcp.stdio import NOTHING_IS_UP, serve

    if find_service(as_here=False) is None:
        note(NOTHING_IS_UP)
    serve()
    return COMPLETED
