"""`resume`: finish what a dead run left."""

from pathlib import Path

import click

from apps.cli.exits import verbose_option


@click.command()
@click.argument("id")
@click.option("--out", metavar="DIR", type=click.Path(file_okay=False, path_type=Path), help="Copy the files here.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, and nothing else, on stdout.")
@verbose_option
@click.pass_context
def resume(ctx: click.Context, id: str, out: Path | None, as_json: bool) -> None:
    """Finish request ID, which a run that died left unfinished, or which was cancelled.

    Its plan, its models and what had finished are taken from the trace. Any unique beginning of the
    id will do. A request that is finished already is shown as it is.
    """
    from apps.cli.answer import make_folder, present
    from apps.cli.running import run
    from hugginggpt.errors import RequestInProgressError
    from hugginggpt.results import RequestStatus
    from hugginggpt.services import get_trace

    story = get_trace().requests.get(id)
    if out is not None:
        make_folder(out)
    if story.status is RequestStatus.RUNNING:
        raise RequestInProgressError(
            f"Request {story.request_id} is being worked on by {story.lives[-1].holder}: wait for it, "
            f"`hugginggpt trace show {story.request_id}` shows how far it is."
        )
    further = ""
    if story.status in (RequestStatus.DIED, RequestStatus.QUEUED, RequestStatus.CANCELLED):
        get_trace().lifecycle.reopen(story.request_id)
        finished = run(story.text, request_id=story.request_id)
        story, further = finished.story, finished.further
    ctx.exit(present(story, out=out, as_json=as_json, further=further))
