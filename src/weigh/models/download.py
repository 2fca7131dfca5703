"""Files of weights from servers that are no hub (torchvision's, Keras's): whole and with the stated hash, or not at all.

A cut download goes on where it stopped, within one command; what has another hash is deleted. The hub's files: `hub.py`.
"""

from __future__ import annotations

import hashlib
import os
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from weigh.errors import reason_of
from weigh.language import text
from weigh.models.hub import ANNOUNCED_BYTES, TIMEOUT_SECONDS, reachable
from weigh.models.hub_refusals import Refusal, no_answer
from weigh.notices import notice

__all__ = ["Kept", "fetch_url", "mirrored"]

TRIES, PAUSE = (
    5,
    1.0,
)  # how often a broken connection is taken up again without anything having come; seconds in between
PART = 1 << 20


class Kept(NamedTuple):
    """A file that lies at `path` now; or None, and why."""

    path: Path | None
    refusal: Refusal = Refusal(text("", ""))


def digest_of(path: Path, kind: str = "sha256") -> str:
    """Hash of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


def mirrored(url: str, variable: str) -> str:
    """The same path at the mirror that an environment variable names; the address itself where none is named."""
    mirror = os.environ.get(variable)
    return f"{mirror.rstrip('/')}{urlsplit(url).path}" if mirror else url


def fetch_url(url: str, into: Path, *, digest: str, kind: str = "sha256", begins: bytes = b"", offline: bool) -> Kept:
    """The file of `url` at `into`: what lies there already if its hash begins with `digest`, else downloaded.

    Args:
        digest: Beginning of the hash in hexadecimal digits; "": only the length is compared.
        kind: Of the hash, as `hashlib` names it.
        begins: First bytes of every file of its format, for those without a hash: a page that asks for a login is not kept.
    """
    damaged = into.is_file() and not _as_stated(into, digest, kind, begins)
    if into.is_file() and not damaged:
        return Kept(into)
    if offline:
        what = text("local cache {p}", "本地缓存 {p}", p=into)
        if damaged:
            what = text("{p} is damaged: it is not what its source states", "{p} 已损坏：与来源声明的不符", p=into)
        return Kept(None, Refusal(what))
    parts = urlsplit(url)
    if not reachable(f"{parts.scheme}://{parts.netloc}"):
        return Kept(None, no_answer(url))
    try:
        into.parent.mkdir(parents=True, exist_ok=True)
        part = into.with_name(f"{into.name}.{os.getpid()}.part")
        try:
            _download(url, part)
            if not _as_stated(part, digest, kind, begins):
                return Kept(None, _other_content(url))
            os.replace(part, into)
        finally:
            part.unlink(missing_ok=True)
    except urllib.error.HTTPError as error:
        return Kept(None, _answered(url, error.code))
    except (OSError, ValueError) as error:
        what = text("{u} does not answer: {e}", "{u} 没有响应：{e}", u=url, e=reason_of(error, 120))
        return Kept(None, Refusal(what))
    return Kept(into)


def _as_stated(path: Path, digest: str, kind: str, begins: bytes) -> bool:
    with path.open("rb") as file:
        if file.read(len(begins)) != begins:
            return False
    return not digest or digest_of(path, kind).startswith(digest)


def _download(url: str, part: Path) -> None:
    """All bytes of `url`; what breaks off is taken up again where it stopped.

    Raises:
        OSError: It cannot be had whole.
    """
    size, left = -1, TRIES
    with part.open("wb") as file:
        while size < 0 or file.tell() < size:
            before = file.tell()
            try:
                request = urllib.request.Request(url, headers={"Range": f"bytes={before}-"} if before else {})
                with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS * 2) as answer:
                    if before and answer.status != 206:  # the server begins anew
                        file.seek(0)
                        file.truncate()
                        before = 0
                    length = answer.headers.get("Content-Length")
                    if length is not None:
                        size = file.tell() + int(length)
                    _announce(url, size, before)
                    while piece := answer.read(PART):
                        file.write(piece)
                if length is None:
                    return
            except urllib.error.HTTPError:
                raise
            except OSError:
                if left <= 0:
                    raise
            if file.tell() < size or size < 0:
                left = TRIES if file.tell() > before else left - 1
                if left < 0:
                    raise OSError("it breaks off again and again")
                time.sleep(PAUSE)


def _announce(url: str, size: int, before: int) -> None:
    if size >= ANNOUNCED_BYTES and not before:
        notice(text("Downloading {u} ({m} MB).", "正在下载 {u}（{m} MB）。", u=url, m=f"{size / 1e6:.0f}"))


def _other_content(url: str) -> Refusal:
    return Refusal(
        text(
            "{u} came with another content than its hash says, or as no file of weights; it was deleted",
            "{u} 的内容与其哈希不符，或根本不是权重文件，已删除",
            u=url,
        ),
        text(
            "Run the same command again; if that comes again, a mirror or a proxy changes files: ask another.",
            "请再次运行同一命令；若仍如此，说明镜像或代理改动了文件：请换用其他地址。",
        ),
    )


def _answered(url: str, status: int) -> Refusal:
    what = text("{u} answers with status {s}", "{u} 返回状态码 {s}", u=url, s=status)
    if status == 429 or status >= 500:
        return Refusal(what, text("Run the same command again in some minutes.", "请几分钟后再次运行同一命令。"))
    return Refusal(what)
