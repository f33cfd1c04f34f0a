from click.testing import CliRunner

from apps.cli.main import main
from hugginggpt.results import RequestStatus
from hugginggpt.services import get_trace
from tests.trace.samples import planned


def test_an_unknown_id_does_not_keep_the_others_from_being_stopped(inside: CliRunner) -> None:
    good = planned(get_trace()).request_id
    done = inside.invoke(main, ["cancel", "typo", good])
    assert (done.exit_code, done.stdout) == (1, f"Cancelled request {good}.\n")
    assert done.stderr.startswith("Error: ") and "typo" in done.stderr
    assert get_trace().requests.get(good).status is RequestStatus.CANCELLED
