"""The stand-in Hub answers the real client as the Hub does."""

import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.stand_ins import tiny_models
from tests.stand_ins.hub_server import HubServer

TINY = "tiny/sentiment"


def test_models_are_listed_by_tag_and_downloads(hub: HubServer) -> None:
    api = HfApi(endpoint=hub.url, token=False)
    listed = list(api.list_models(pipeline_tag="text-classification", sort="downloads", expand=["downloads", "tags"]))
    assert [m.downloads for m in listed] == [9000, 8000, 7000, 5000]
    assert list(api.list_models(pipeline_tag="text-to-image")) == []
    assert len(list(api.list_models(limit=2, sort="downloads"))) == 2
    assert [m.id for m in api.list_models(filter="custom_code")] == [tiny_models.REMOTE_CODE]


def test_a_download_is_the_file_at_its_commit(hub: HubServer, tmp_path: Path) -> None:
    folder = Path(snapshot_download(TINY, cache_dir=tmp_path, endpoint=hub.url, token=False))
    assert folder.name == hub.commit(TINY)
    served = {p.name: p.read_bytes() for p in (hub.models / TINY).iterdir() if not p.name.startswith(".hub")}
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == served


def test_a_download_that_is_there_is_not_fetched_again(hub: HubServer, tmp_path: Path) -> None:
    for _ in range(2):
        hf_hub_download(TINY, "config.json", cache_dir=tmp_path, endpoint=hub.url, token=False)
    assert hub.paths("GET").count(f"/{TINY}/resolve/main/config.json") == 1


def test_what_is_missing_has_the_hubs_codes(hub: HubServer, tmp_path: Path) -> None:
    api = HfApi(endpoint=hub.url, token=False)
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("tiny/nothing")
    with pytest.raises(RevisionNotFoundError):
        api.model_info(TINY, revision="nowhere")
    with pytest.raises(RemoteEntryNotFoundError):
        hf_hub_download(TINY, "nothing.json", cache_dir=tmp_path, endpoint=hub.url, token=False)


def test_a_gated_model_opens_with_the_token_only(hub: HubServer, tmp_path: Path) -> None:
    for token in (False, "hf_wrong"):
        with pytest.raises(GatedRepoError):
            hf_hub_download(tiny_models.GATED, "config.json", cache_dir=tmp_path, endpoint=hub.url, token=token)
    assert hf_hub_download(tiny_models.GATED, "config.json", cache_dir=tmp_path, endpoint=hub.url, token=hub.token)


def test_an_earlier_commit_stays_readable(hub: HubServer, tmp_path: Path) -> None:
    api = HfApi(endpoint=hub.url, token=False)
    before = hub.commit(TINY)
    readme = hub.models / TINY / "README.md"
    old = readme.read_text()
    try:
        readme.write_text(old + "More.\n")
        after = api.model_info(TINY).sha
        assert after != before
        for commit, text in ((before, old), (after, old + "More.\n")):
            path = hf_hub_download(
                TINY, "README.md", revision=commit, cache_dir=tmp_path, endpoint=hub.url, token=False
            )
            assert Path(path).read_text() == text
    finally:
        readme.write_text(old)


def test_it_runs_alone(models: Path) -> None:
    command = [sys.executable, "-m", "tests.stand_ins.hub_server", "--models", str(models)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            assert HfApi(endpoint=url, token=False).model_info(TINY).id == TINY
        finally:
            server.terminate()
