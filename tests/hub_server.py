"""A small hub on this machine: speaks the protocol of huggingface.co to the real client (`huggingface_hub`), and answers wrongly where told to.

A repository is a dictionary of files at a commit. Large files (LFS) stand at another path, to which `resolve` redirects; all are sent with
ranges. `Hub.faults` says what goes wrong with a file; `Hub.requests` is what was asked.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

__all__ = ["Fault", "Hub", "Repository", "commit_of", "serving"]

LARGE = (".safetensors", ".bin", ".h5", ".keras", ".pth", ".parquet")


class Fault(NamedTuple):
    """What goes wrong.

    Attributes:
        status: Of the answer; 200: none but what follows.
        headers: Besides the usual ones.
        times: How often; afterwards all is well.
        cut: The connection ends after so many bytes.
        body: Sent in place of the file, under its hash.
        seconds: Nothing is sent for so long.
        method: "HEAD", "GET", or "" for both.
        without: Headers that are left out.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    times: int = 10**6
    cut: int | None = None
    body: bytes | None = None
    seconds: float = 0.0
    method: str = ""
    without: tuple[str, ...] = ()


@dataclass
class Repository:
    """Files at one commit, and other names (branches, tags) of further commits."""

    files: dict[str, bytes]
    revisions: dict[str, dict[str, bytes]] = field(default_factory=dict)
    gated: bool = False
    private: bool = False
    licence: str = ""

    def at(self, revision: str) -> dict[str, bytes] | None:
        named = {"main": self.files, **self.revisions}
        return named.get(revision) or next((files for files in named.values() if commit_of(files) == revision), None)


def commit_of(files: dict[str, bytes]) -> str:
    """Forty hexadecimal digits that change with every file."""
    return hashlib.sha1(repr(sorted((n, hashlib.sha1(b).hexdigest()) for n, b in files.items())).encode()).hexdigest()


@dataclass
class Hub:
    """What is served; tests change it while the server runs.

    Attributes:
        plain: Path -> bytes: files of servers that are no hub (torchvision's, Keras's).
        tokens: Those that open gated and private repositories.
        moved: Old name -> new name.
        faults: End of a path -> what goes wrong there; "" concerns every path.
        requests: (method, path, value of Range) in order.
    """

    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    plain: dict[str, bytes] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    moved: dict[str, str] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    tokens_seen: list[str] = field(default_factory=list)

    def fault_of(self, method: str, path: str) -> Fault:
        for end, fault in self.faults.items():
            if path.endswith(end) and fault.method in ("", method) and fault.times > 0:
                self.faults[end] = fault._replace(times=fault.times - 1)
                return fault
        return Fault()

    def asked(self, method: str, end: str = "") -> int:
        """How many requests there were."""
        return sum(m == method and path.endswith(end) for m, path, _ in self.requests)


class _Answer(BaseHTTPRequestHandler):
    hub: Hub
    sent: bytes = b""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Nothing: `Hub.requests` has it."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if path == "/api/agent-harnesses":  # the client asks once a day who it works for
            return self._send(404, b"", {})
        self.hub.requests.append((self.command, path, self.headers.get("Range") or ""))
        self.hub.tokens_seen.append(self.headers.get("Authorization") or "")
        fault = self.hub.fault_of(self.command, path)
        if fault.seconds:
            time.sleep(fault.seconds)
        if fault.status != 200:
            return self._send(fault.status, fault.body or b"", dict(fault.headers))
        if path in self.hub.plain:
            return self._file(self.hub.plain[path], {}, fault)
        if path.startswith("/storage/"):
            return self._stored(path.removeprefix("/storage/"), fault)
        if path.startswith("/api/"):
            return self._about(path.removeprefix("/api/"), fault)
        if "/resolve/" in path:
            return self._resolve(path.lstrip("/"), fault)
        return self._send(200 if path == "/" else 404, b"", {})

    def _refusal(self, name: str) -> tuple[int, str, str] | None:
        """Why a repository is not shown: status, code, message."""
        repository = self.hub.repositories.get(name)
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token and token not in self.hub.tokens:
            return 401, "", "Invalid credentials in Authorization header"
        if repository is None or (repository.private and not token):
            return (404 if token else 401), "RepoNotFound", "Repository not found"
        if repository.gated and not token:
            return 401, "GatedRepo", f"Access to model {name} is restricted."
        return None

    def _resolve(self, path: str, fault: Fault) -> None:
        name, _, rest = path.partition("/resolve/")
        revision, _, filename = rest.partition("/")
        if name in self.hub.moved:
            return self._send(307, b"", {"Location": f"/{self.hub.moved[name]}/resolve/{rest}"})
        if (refusal := self._refusal(name)) is not None:
            status, code, message = refusal
            return self._send(status, b"", {"X-Error-Code": code, "X-Error-Message": message})
        files = self.hub.repositories[name].at(revision)
        if files is None:
            return self._send(404, b"", {"X-Error-Code": "RevisionNotFound", "X-Error-Message": "Invalid rev id"})
        commit = {"X-Repo-Commit": commit_of(files)}
        if filename not in files:
            return self._send(
                404, b"", {**commit, "X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}
            )
        content = files[filename]
        if filename.endswith(LARGE):
            digest = hashlib.sha256(content).hexdigest()
            linked = {"X-Linked-Size": str(len(content)), "X-Linked-ETag": f'"{digest}"'}
            elsewhere = self.hub.url.replace("127.0.0.1", "localhost")  # another host: no token is sent there
            location = f"{elsewhere}/storage/{name}/{commit['X-Repo-Commit']}/{filename}"
            headers = {**commit, **linked, "Location": location, "ETag": '"pointer"'}
            return self._send(302, b"", {k: v for k, v in headers.items() if k not in fault.without})
        git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        return self._file(content, {**commit, "ETag": f'"{git}"'}, fault)

    def _stored(self, path: str, fault: Fault) -> None:
        for name, repository in self.hub.repositories.items():
            commit, _, filename = path.removeprefix(name + "/").partition("/")
            if path.startswith(name + "/") and (files := repository.at(commit)) and filename in files:
                return self._file(files[filename], {}, fault)
        return self._send(404, b"", {})

    def _about(self, path: str, fault: Fault) -> None:
        """Of `models/NAME[/revision/REVISION]`, `…/tree/REVISION` and their kin of data sets."""
        kind, _, rest = path.partition("/")
        word = next((word for word in ("/revision/", "/tree/", "/paths-info/") if word in rest), "?")
        name, _, question = rest.partition(word)
        key = name if kind == "models" else f"{kind}/{name}"
        if kind not in ("models", "datasets"):
            return self._send(404, b"", {})
        if (refusal := self._refusal(key)) is not None:
            status, code, message = refusal
            return self._send(status, b"", {"X-Error-Code": code, "X-Error-Message": message})
        repository = self.hub.repositories[key]
        revision, _, folder = question.partition("/")
        files = repository.at(revision or "main")
        if files is None:
            return self._send(404, b"", {"X-Error-Code": "RevisionNotFound", "X-Error-Message": "Invalid rev id"})
        if fault.body is not None:
            return self._send(200, fault.body, {"Content-Type": "application/json"})
        answer: Any = {
            "_id": "1", "id": name, "modelId": name, "sha": commit_of(files), "private": repository.private, "gated": "manual" if repository.gated else False,
            "disabled": False, "downloads": 0, "likes": 0, "tags": [f"license:{repository.licence}"] if repository.licence else [],
            "cardData": {"license": repository.licence} if repository.licence else {},
            "lastModified": "2026-01-01T00:00:00.000Z", "createdAt": "2026-01-01T00:00:00.000Z",
            "siblings": [{"rfilename": name, "size": len(content)} for name, content in files.items()],
        }  # fmt: skip
        if word == "/tree/":
            answer = [self._entry(name, content) for name, content in files.items() if name.startswith(folder)]
            if question and not answer:
                return self._send(404, b"", {"X-Error-Code": "EntryNotFound"}) if folder else self._send(200, b"[]", {})
        elif word == "/paths-info/":
            wanted = parse_qs(self.sent.decode()).get("paths") or json.loads(self.sent).get("paths", [])
            answer = [self._entry(name, files[name]) for name in wanted if name in files]
        return self._send(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _entry(self, name: str, content: bytes) -> dict[str, Any]:
        git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        return {"type": "file", "path": name, "size": len(content), "oid": git}

    def _file(self, content: bytes, headers: dict[str, str], fault: Fault) -> None:
        whole = len(content)
        if fault.body is not None:
            content = fault.body
        start, status = 0, 200
        if (wanted := self.headers.get("Range")) and self.command == "GET":
            start, status = int(wanted.removeprefix("bytes=").split("-")[0]), 206
            headers = {**headers, "Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        size = whole if self.command == "HEAD" else len(content) - start
        headers = {"Accept-Ranges": "bytes", **headers, **dict(fault.headers)}
        self._send(
            status, content[start:], {k: v for k, v in headers.items() if k not in fault.without}, size, fault.cut
        )

    def _send(
        self, status: int, body: bytes, headers: dict[str, str], size: int | None = None, cut: int | None = None
    ) -> None:
        try:
            self.send_response(status)
            for name, value in headers.items():
                if value:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body) if size is None else size))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body if cut is None else body[:cut])
            if cut is not None:
                self.close_connection = True
        except OSError:  # whoever asked has gone
            self.close_connection = True


@contextmanager
def serving(hub: Hub):
    """The hub at `hub.url`, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answer", (_Answer,), {"hub": hub}))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
