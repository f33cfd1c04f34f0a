"""`cancel`: stop a request."""

import click

from apps.cli.exits import complain, verbose_option


@click.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@verbose_option
@click.pass_context
def cancel(ctx: click.Context, ids: tuple[str, ...]) -> None:
    """Stop requests, waiting or at work, wherever they run.

    Their experts stop within seconds. What had finished stays in the trace, and `hugginggpt resume ID`
    goes on from there. Any unique beginning of an id will do. An unknown one does not keep the others
    from being stopped.
    """
    from hugginggpt.errors import DatabaseUnavailableError, TraceError
    from hugginggpt.services import get_trace

    code = 0
    for name in ids:
        try:
            story = get_trace().requests.get(name)
        except DatabaseUnavailableError:
            raise
        except TraceError as error:
            complain(error.message)
            code = 1
            continue
        if get_trace().lifecycle.cancel(story.request_id, "It was cancelled by `hugginggpt cancel`."):
            click.echo(f"Request {story.request_id} is cancelled.")
        else:
            complain(f"Request {story.request_id} had ended before ({story.status}), so there is nothing to cancel.")
            code = 1
    ctx.exit(code)
