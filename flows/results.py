"""Where Prefect keeps its records of results, when several machines have to read them."""

from prefect.filesystems import RemoteFileSystem

from hugginggpt.environment import RESULTS_BLOCK
from hugginggpt.settings import get_settings


def share_results() -> None:
    """Tell Prefect's server of `HUGGINGGPT_RESULTS_URL`, if it is set. Every machine finds it there.

    Credentials are not part of it: they come from each machine's environment.
    """
    url = get_settings().results_url
    if url is not None:
        RemoteFileSystem(basepath=url).save(RESULTS_BLOCK, overwrite=True)
