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
    from apps.cli.running import run
    from hugginggpt.errors import RequestInProgressError
    from hugginggpt.results import RequestStatus
    from hugginggpt.services import get_trace

    story = get_trace().requests.get(id)
    if output.out is not None:
        make_folder(output.out)
    if story.status is RequestStatus.RUNNING:
        raise RequestInProgressError(
            f"Request {story.request_id} is still running, in {story.lives[-1].holder}: wait for it, or see its "
            f"progress with `hugginggpt trace show {story.request_id}`."
        )
    further = ""
    if story.status in (RequestStatus.DIED, RequestStatus.QUEUED, RequestStatus.CANCELLED):
        get_trace().lifecycle.reopen(story.request_id)
        finished = run(story.text, request_id=story.request_id)
        story, further = finished.story, finished.further
    return present(story, output, further)
