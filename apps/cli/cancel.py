"""`cancel`: stop a request."""

from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import click

from apps.cli.exits import COMPLETED, FAILED, complain, verbose_option
from hugginggpt.origin import Door

if TYPE_CHECKING:
    from apps.http.client import Service
    from hugginggpt.submission import Cancelled


@click.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@verbose_option
def cancel(ids: tuple[str, ...]) -> int:
    """Stop requests that wait or run, wherever they run.

    Their experts stop within seconds. Finished results stay in the trace, and `hugginggpt resume ID`
    continues from there. Any unique beginning of an id will do. If an id is unknown, the others are
    still stopped.
    """
    from apps.cli.through_service import service
    from hugginggpt.errors import DatabaseUnavailableError, TraceError

    found = service()
    code = COMPLETED
    for name in ids:
        try:
            ended = _cancelled(found, name)
        except DatabaseUnavailableError:
            raise
        except TraceError as error:
            complain(error.message)
            code = FAILED
            continue
        if ended["cancelled"]:
            click.echo(f"Cancelled request {ended['request_id']}.")
        else:
            how = f"{ended['request_id']} has already ended ({ended['status']})"
            complain(f"Request {how}: there is nothing to cancel.")
            code = FAILED
    return code


def _cancelled(service: "Service | None", name: str) -> "Cancelled":
    """Stop a request; return whether it had not ended yet."""
    from apps.cli.through_service import may_be_id, path_of
    from apps.http.client import ServiceLostError

    if service is not None and may_be_id(name):
        with suppress(ServiceLostError):
            told: Cancelled = service.post(f"{path_of(name, 'cancel')}?{urlencode({'door': Door.COMMAND_LINE})}")
            return told
    from hugginggpt.services import get_trace
    from hugginggpt.submission import cancel

    return cancel(get_trace(), name)
