"""`resume`: finish a request that was interrupted."""

import click

from apps.cli.exits import verbose_option
from apps.cli.options import Output, output_options


@click.command()
@click.argument("id")
@output_options("Copy the answer's files here.", "Print one JSON object, and nothing else, on stdout.")
@verbose_option
def resume(id: str, output: Output) -> int:
    """Finish request ID after its run died or was cancelled.

    The plan, the chosen models and the finished results come from the trace. Any unique beginning of the
    id will do. If the request has finished, its answer is shown again.
    """
    from apps.cli.answer import make_folder, present
    from apps.cli.through_service import answered, known_request, resume, service

    found = service()
    known = None if found is None else known_request(found, id)
    if found is not None and known is not None:
        if output.out is not None:
            make_folder(output.out)
        ended = (answered if known["answered"] else resume)(found, known["request_id"])
        if ended is not None:
            return present(ended, output)
    from apps.cli.answer import ended_request
    from apps.cli.running import run
    from hugginggpt.services import get_trace
    from hugginggpt.submission import reopen

    get_trace().requests.get(id)  # an unknown id makes no folder
    if output.out is not None:
        make_folder(output.out)
    story, again = reopen(get_trace(), id)
    further = ""
    if again:
        finished = run(story.text, request_id=story.request_id)
        story, further = finished.story, finished.further
    return present(ended_request(story), output, further)
