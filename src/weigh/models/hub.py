"""The model hub: asked only when allowed, with short time-outs, and never twice in vain.

Mirrors work as users set them (`HF_ENDPOINT`, proxies): whether the hub can be reached is asked of that address.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import NamedTuple

from weigh.errors import WeightsUnreachable, reason_of
from weigh.language import Text, text
from weigh.models.catalogue import PackagedWeights

__all__ = ["Fetched", "cached_from_hub", "fetch_from_hub", "reachable", "unreachable"]

SECONDS = 5


@cache
def reachable(url: str) -> bool:
    """Whether a server answers at `url`; asked once per process."""
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=SECONDS):
            return True
    except urllib.error.HTTPError:
        return True  # it answered
    except (OSError, ValueError):
        return False


class Fetched(NamedTuple):
    """A file from the hub or its local cache; or None, and what was tried."""

    path: Path | None
    tried: Text


def cached_from_hub(repository: str, files: tuple[str, ...]) -> Path | None:
    """The first of `files` that was downloaded before.

    A look into a folder: `hf_hub_download(local_files_only=True)` may ask the network (huggingface_hub 2.4 does).
    """
    from huggingface_hub import try_to_load_from_cache

    for name in files:
        if isinstance(cached := try_to_load_from_cache(repository, name), str) and Path(cached).is_file():
            return Path(cached)
    return None


def fetch_from_hub(repository: str, files: tuple[str, ...], *, offline: bool) -> Fetched:
    """The first of `files` that the local cache or the hub has."""
    os.environ.setdefault("HF_HUB_ETAG_TIMEOUT", str(SECONDS))
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    if cached := cached_from_hub(repository, files):
        return Fetched(cached, Text("", ""))
    if offline or constants.HF_HUB_OFFLINE:
        return Fetched(None, text("local cache of {r}", "{r} 的本地缓存", r=repository))
    if not reachable(constants.ENDPOINT):
        return Fetched(None, text("{u} does not answer", "{u} 没有响应", u=constants.ENDPOINT))
    reason = "no such file"
    for name in files:
        try:
            return Fetched(Path(hf_hub_download(repository, name, etag_timeout=SECONDS)), Text("", ""))
        except EntryNotFoundError:
            continue
        except Exception as error:  # gated, renamed, cut off: said, and another place is tried
            reason = reason_of(error, 160)
    return Fetched(None, text("{u}/{r}: {e}", "{u}/{r}：{e}", u=constants.ENDPOINT, r=repository, e=reason))


def unreachable(address: str, tried: Text, *, offline: bool, packaged: PackagedWeights | None) -> WeightsUnreachable:
    """The error that says what was tried and what to do now."""
    if packaged is not None:
        do = text("Install them: {i}", "请安装：{i}", i=packaged.install)
    elif offline:
        do = text(
            "Run once without --offline, or give a checkpoint: file:PATH@{a}",
            "请先联网运行一次，或给出检查点文件：file:路径@{a}",
            a=address,
        )
    else:
        do = text(
            "Check the connection, set HF_ENDPOINT to a mirror, or give a checkpoint: file:PATH@{a}",
            "请检查网络、将 HF_ENDPOINT 设为镜像，或给出检查点文件：file:路径@{a}",
            a=address,
        )
    return WeightsUnreachable(
        text(
            "The pretrained weights of {a} cannot be reached (tried: {t}).",
            "无法取得 {a} 的预训练权重（已尝试：{t}）。",
            a=address,
            t=tried,
        ),
        text(
            "Without them the model would start from random weights, which is another candidate (recipe scratch).",
            "没有预训练权重就只能随机初始化，那是另一种候选（方案 scratch）。",
        ),
        do,
    )
