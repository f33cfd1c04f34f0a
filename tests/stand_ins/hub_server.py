"""A Hugging Face Hub on loopback, over a folder `<org>/<name>/` of models.

The real `huggingface_hub` client works on it: list_models, model_info, snapshot_download,
hf_hub_download, and so does transformers' `pipeline(task, id)`. A model's facts come from its own
files (README front matter, config, safetensors header); downloads, likes, gating and false sizes of
files from `.hub.json` beside them. A changed file makes a new commit, and the earlier one stays readable.

`python -m tests.stand_ins.hub_server --models DIR` serves a folder and prints the base URL.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import socket
import threading
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import prod
from pathlib import Path
from types import TracebackType
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import yaml

Mode = Literal["up", "unavailable", "hang"]

_ID = r"(?P<id>[^/]+(?:/[^/]+)?)"
_API = re.compile(rf"/api/models/{_ID}(?:/revision/(?P<revision>[^/]+))?/?")
_TREE = re.compile(rf"/api/models/{_ID}/tree/(?P<revision>[^/]+)(?:/(?P<path>.+))?")
_REFS = re.compile(rf"/api/models/{_ID}/refs")
_RESOLVE = re.compile(rf"/{_ID}/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
_DATE = "2026-01-01T00:00:00.000Z"
_LFS = {".safetensors", ".bin", ".onnx", ".gguf", ".pt", ".pth", ".h5"}
_ALWAYS = {"id"}
_BRIEF = {"id", "modelId", "private", "downloads", "likes", "tags", "pipeline_tag", "library_name", "createdAt"}


@dataclass(frozen=True)
class RecordedRequest:
    """One request, as it came in. The token itself is not kept."""

    method: str
    path: str
    query: dict[str, list[str]]
    with_token: bool
    range: str = ""


@dataclass(frozen=True)
class _Refusal(Exception):
    status: int
    code: str
    message: str


@dataclass(frozen=True)
class _File:
    path: str
    data: bytes

    @property
    def is_lfs(self) -> bool:
        return Path(self.path).suffix in _LFS

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @cached_property
    def git_oid(self) -> str:
        data = self.data
        if self.is_lfs:
            data = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(data)}\n".encode()
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.is_lfs else self.git_oid

    def entry(self) -> dict[str, Any]:
        """The file as the tree route describes it."""
        described: dict[str, Any] = {"type": "file", "path": self.path, "size": len(self.data), "oid": self.git_oid}
        if self.is_lfs:
            described["lfs"] = {"oid": self.sha256, "size": len(self.data), "pointerSize": 134}
        return described


@dataclass
class _Commit:
    """One state of a model's files, and what they say of it."""

    id: str
    files: dict[str, _File]
    facts: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def sha(self) -> str:
        listing = "\n".join(f"{f.path} {f.sha256}" for f in self.files.values())
        return hashlib.sha1(f"{self.id}\n{listing}".encode()).hexdigest()

    @cached_property
    def card(self) -> dict[str, Any]:
        readme = self.files.get("README.md")
        parts = readme.data.decode("utf-8").split("---\n", 2) if readme else []
        return dict(yaml.safe_load(parts[1]) or {}) if len(parts) == 3 and not parts[0].strip() else {}

    @cached_property
    def config(self) -> dict[str, Any]:
        config = self.files.get("config.json")
        return dict(json.loads(config.data)) if config else {}

    @cached_property
    def safetensors(self) -> dict[str, Any] | None:
        parameters: dict[str, int] = {}
        for file in self.files.values():
            if file.path.endswith(".safetensors"):
                length = int.from_bytes(file.data[:8], "little")
                for name, tensor in json.loads(file.data[8 : 8 + length]).items():
                    if name != "__metadata__":
                        parameters[tensor["dtype"]] = parameters.get(tensor["dtype"], 0) + prod(tensor["shape"])
        return {"parameters": parameters, "total": sum(parameters.values())} if parameters else None

    def tags(self) -> list[str]:
        library = self.card.get("library_name")
        languages = self.card.get("language") or []
        licence = self.card.get("license")
        found = [library, "safetensors" if self.safetensors else None, self.config.get("model_type")]
        found += [self.card.get("pipeline_tag"), *(self.card.get("tags") or [])]
        found += [languages] if isinstance(languages, str) else languages
        found += [f"license:{licence}" if licence else None]
        return list(dict.fromkeys(tag for tag in found if tag))

    def info(self, blobs: bool = False) -> dict[str, Any]:
        """Everything that the model routes can say of it."""
        siblings: list[dict[str, Any]] = [{"rfilename": path} for path in self.files]
        if blobs:
            for sibling, file in zip(siblings, self.files.values(), strict=True):
                sibling |= {"size": len(file.data), "blobId": file.git_oid}
                if file.is_lfs:
                    sibling["lfs"] = {"sha256": file.sha256, "size": len(file.data), "pointerSize": 134}
        return {
            "id": self.id,
            "modelId": self.id,
            "author": self.id.split("/")[0] if "/" in self.id else None,
            "sha": self.sha,
            "lastModified": _DATE,
            "createdAt": _DATE,
            "private": False,
            "disabled": False,
            "gated": self.facts.get("gated", False),
            "downloads": self.facts.get("downloads", 0),
            "likes": self.facts.get("likes", 0),
            "trendingScore": self.facts.get("likes", 0),
            "library_name": self.card.get("library_name"),
            "pipeline_tag": self.card.get("pipeline_tag"),
            "tags": self.tags(),
            "cardData": self.card,
            "config": {k: self.config[k] for k in ("architectures", "model_type", "auto_map") if k in self.config},
            "safetensors": self.safetensors,
            "siblings": siblings,
            "usedStorage": sum(len(f.data) for f in self.files.values()),
        }


class HubServer:
    """The stand-in Hub. A context manager; `url` is its base URL while it runs.

    Args:
        models: the folder it serves. It is looked at anew for every request.
        token: the one token that opens gated models.
        port: 0 takes a free one.

    Attributes:
        mode: "up"; "unavailable" answers 503 to everything; "hang" answers nothing until it is
            set back or the server stops.
        requests: every request since the start, in order.
        breaks: where the connection breaks, once, when a file is downloaded: bytes sent before, by the file's path.
    """

    def __init__(self, models: Path, *, token: str = "hf_stand_in", port: int = 0) -> None:
        self.models = models
        self.token = token
        self.requests: list[RecordedRequest] = []
        self.breaks: dict[str, int] = {}
        self._mode: Mode = "up"
        self._released = threading.Event()
        self._released.set()
        self._lock = threading.Lock()
        self._commits: dict[str, dict[str, _Commit]] = {}
        self._heads: dict[str, tuple[object, str]] = {}
        self._connections: set[socket.socket] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def mode(self) -> Mode:
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._mode = mode
        (self._released.clear if mode == "hang" else self._released.set)()

    def paths(self, method: str | None = None) -> list[str]:
        """The paths asked for so far, in order."""
        return [r.path for r in self.requests if method is None or r.method == method]

    def commit(self, model: str) -> str:
        """The commit that `main` of a model stands at."""
        return self._find(model, "main").sha

    def squash(self, model: str) -> None:
        """Forget all commits of a model but the one that `main` stands at."""
        head = self._find(model, "main")
        with self._lock:
            self._commits[model] = {head.sha: head}

    def __enter__(self) -> HubServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop, and break the connections that are still open."""
        self._released.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        with self._lock:
            for connection in self._connections:
                _break(connection)

    def _names(self) -> list[str]:
        marks = ("config.json", "model_index.json", "README.md")
        return sorted(
            {f.parent.relative_to(self.models).as_posix() for m in marks for f in self.models.glob(f"*/*/{m}")}
        )

    def _head(self, name: str) -> _Commit:
        """The present state of a model, recorded as a commit. The files are read again only when one changed."""
        folder = self.models / name
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", name) or not folder.is_dir():
            raise _Refusal(404, "RepoNotFound", "Repository not found")
        paths = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".hub"))
        facts_file = folder / ".hub.json"
        stamped = [*paths, *([facts_file] if facts_file.is_file() else [])]
        stamp = tuple((str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in stamped)
        with self._lock:
            known, sha = self._heads.get(name, (None, ""))
            if known != stamp:
                files = {
                    p.relative_to(folder).as_posix(): _File(p.relative_to(folder).as_posix(), p.read_bytes())
                    for p in paths
                }
                facts = json.loads(facts_file.read_text(encoding="utf-8")) if facts_file.is_file() else {}
                commit = _Commit(name, files, facts)
                sha = commit.sha
                self._commits.setdefault(name, {})[sha] = commit
                self._heads[name] = (stamp, sha)
            return self._commits[name][sha]

    def _find(self, name: str, revision: str) -> _Commit:
        head = self._head(name)
        if revision in ("main", "HEAD", head.sha):
            return head
        with self._lock:
            earlier = self._commits[name].get(revision)
        if earlier is None:
            raise _Refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return earlier

    def _listed(self, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        infos = [self._head(name).info() for name in self._names()]
        wanted_tags = [*query.get("filter", []), *query.get("pipeline_tag", [])]
        infos = [i for i in infos if all(t in i["tags"] or t == i["pipeline_tag"] for t in wanted_tags)]
        if "author" in query:
            infos = [i for i in infos if i["author"] == query["author"][0]]
        if "search" in query:
            infos = [i for i in infos if query["search"][0].lower() in i["id"].lower()]
        if "gated" in query:
            infos = [i for i in infos if bool(i["gated"]) == (query["gated"][0].lower() == "true")]
        order = query.get("sort", ["trendingScore"])[0]
        return sorted(infos, key=lambda i: (i.get(order) or 0, i["id"]), reverse=True)


def _break(connection: socket.socket) -> None:
    """Break a connection, whatever state it is in."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # closed by the other side already


def _handler(hub: HubServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            with hub._lock:
                hub._connections.add(self.connection)

        def finish(self) -> None:
            with hub._lock:
                hub._connections.discard(self.connection)
            super().finish()

        def log_message(self, format: str, *args: Any) -> None:
            return  # `requests` is the log

        def do_GET(self) -> None:
            self._serve()

        def do_HEAD(self) -> None:
            self._serve()

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            path, query = parts.path, parse_qs(parts.query)
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            wanted = self.headers.get("Range", "")
            hub.requests.append(RecordedRequest(self.command, unquote(path), query, bool(token), wanted))
            hub._released.wait()
            try:
                if hub.mode == "unavailable":
                    raise _Refusal(503, "", "The Hub is down for maintenance")
                self._route(path, query, token)
            except _Refusal as refusal:
                headers = {"X-Error-Code": refusal.code, "X-Error-Message": refusal.message}
                body = json.dumps({"error": refusal.message}).encode()
                self._send(refusal.status, body, {k: v for k, v in headers.items() if v})
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def _route(self, path: str, query: dict[str, list[str]], token: str) -> None:
            if path == "/api/models":
                return self._list(query)
            if path == "/api/whoami-v2":
                if token != hub.token:
                    raise _Refusal(401, "", "Invalid username or password.")
                return self._json({"type": "user", "name": "stand-in", "fullname": "Stand In", "orgs": []})
            if found := _TREE.fullmatch(path):
                return self._tree(found, query)
            if found := _REFS.fullmatch(path):
                head = hub._head(unquote(found["id"]))
                main = {"name": "main", "ref": "refs/heads/main", "targetCommit": head.sha}
                return self._json({"branches": [main], "tags": [], "converts": []})
            if found := _RESOLVE.fullmatch(path):
                return self._resolve(found, token)
            if found := _API.fullmatch(path):
                commit = hub._find(unquote(found["id"]), unquote(found["revision"] or "main"))
                info = commit.info(blobs="blobs" in query)
                if "expand" in query:
                    info = {k: v for k, v in info.items() if k in _ALWAYS | set(query["expand"])}
                return self._json(info)
            raise _Refusal(404, "RepoNotFound", "Repository not found")

        def _list(self, query: dict[str, list[str]]) -> None:
            infos = hub._listed(query)
            limit, start = int(query.get("limit", ["1000"])[0]), int(query.get("cursor", ["0"])[0])
            page = infos[start : start + limit]
            if "expand" in query:
                shown = _ALWAYS | set(query["expand"])
            else:
                shown = _BRIEF | ({"sha", "author", "lastModified", "gated", "siblings"} if "full" in query else set())
                shown |= {"config"} if "config" in query else set()
                shown |= {"cardData"} if "cardData" in query else set()
            headers = {}
            if start + limit < len(infos):
                following = urlencode({**query, "cursor": start + limit}, doseq=True)
                headers["Link"] = f'<{hub.url}/api/models?{following}>; rel="next"'
            self._json([{k: v for k, v in info.items() if k in shown} for info in page], headers)

        def _tree(self, found: re.Match[str], query: dict[str, list[str]]) -> None:
            commit = hub._find(unquote(found["id"]), unquote(found["revision"]))
            under = unquote(found["path"] or "").strip("/")
            prefix = f"{under}/" if under else ""
            files = [f for f in commit.files.values() if f.path.startswith(prefix)]
            if under and not files:
                raise _Refusal(404, "EntryNotFound", f"{under} does not exist on this revision")
            recursive = query.get("recursive", ["false"])[0].lower() in ("true", "1")
            near = [f for f in files if recursive or "/" not in f.path.removeprefix(prefix)]
            folders = sorted({f.path.removeprefix(prefix).split("/")[0] for f in files if f not in near})
            entries = [{"type": "directory", "path": prefix + name, "size": 0, "oid": "0" * 40} for name in folders]
            told = commit.facts.get("sizes", {})
            self._json([*entries, *(f.entry() | {"size": told.get(f.path, len(f.data))} for f in near)])

        def _resolve(self, found: re.Match[str], token: str) -> None:
            commit = hub._find(unquote(found["id"]), unquote(found["revision"]))
            if commit.facts.get("gated") and token != hub.token:
                reason = "You are not in the authorized list." if token else "Please log in."
                raise _Refusal(
                    403 if token else 401, "GatedRepo", f"Access to model {commit.id} is restricted. {reason}"
                )
            file = commit.files.get(unquote(found["path"]))
            headers = {"X-Repo-Commit": commit.sha}
            if file is None:
                body = json.dumps({"error": "Entry not found"}).encode()
                return self._send(
                    404, body, headers | {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}
                )
            headers |= {
                "X-Linked-Size": str(len(file.data)),
                "X-Linked-ETag": f'"{file.etag}"',
                "Accept-Ranges": "bytes",
            }
            breaks = hub.breaks.pop(file.path, None) if self.command == "GET" else None
            self._data(file.data, headers | {"ETag": f'"{file.etag}"'}, breaks)

        def _json(self, value: Any, headers: dict[str, str] | None = None) -> None:
            self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})

        def _data(self, data: bytes, headers: dict[str, str], breaks: int | None) -> None:
            wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            if not wanted:
                return self._send(200, data, headers, breaks)
            start, stop = int(wanted[1]), min(int(wanted[2] or len(data) - 1), len(data) - 1)
            if start >= len(data):
                return self._send(416, b"", {"Content-Range": f"bytes */{len(data)}"})
            self._send(206, data[start : stop + 1], headers | {"Content-Range": f"bytes {start}-{stop}/{len(data)}"})

        def _send(self, status: int, body: bytes, headers: dict[str, str], breaks: int | None = None) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body[:breaks])
            if breaks is not None:
                _break(self.connection)

    return Handler


def main() -> None:
    """Serve a folder until interrupted."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--models", type=Path, required=True, help="folder <org>/<name>/ of models")
    parser.add_argument("--port", type=int, default=0, help="port; a free one when 0")
    parser.add_argument("--token", default="hf_stand_in", help="token that opens gated models")
    given = parser.parse_args()
    with HubServer(given.models, token=given.token, port=given.port) as hub:
        print(hub.url, flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
