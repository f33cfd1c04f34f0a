"""`cancel`: stop a request."""

import click

from apps.cli.exits import COMPLETED, FAILED, complain, verbose_option


@click.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@verbose_option
def cancel(ids: tuple[str, ...]) -> int:
    """Stop requests that wait or run, wherever they run.

    Their experts stop within seconds. Finished results stay in the trace, and `hugginggpt resume ID`
    continues from there. Any unique beginning of an id will do. If an id is unknown, the others are
    still stopped.
    """
    from hugginggpt.errors import DatabaseUnavailableError, TraceError
    from hugginggpt.services import get_trace

    code = COMPLETED
    for name in ids:
        try:
            story = get_trace().requests.get(name)
        except DatabaseUnavailableError:
            raise
        except TraceError as error:
            complain(error.message)
            code = FAILED
            continue
        if get_trace().lifecycle.cancel(story.request_id, "Cancelled by `hugginggpt cancel`."):
            click.echo(f"Cancelled request {story.request_id}.")
        else:
            complain(f"Request {story.request_id} has already ended ({story.status}): there is nothing to cancel.")
            code = FAILED
    return code
