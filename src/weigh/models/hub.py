"""The model hub: asked only when allowed, with short time-outs, and never twice in vain.

Mirrors work as users set them (`HF_ENDPOINT`, proxies): whether the hub can be reached is asked of that address.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from weigh.errors import WeightsUnreachable
from weigh.language import text
from weigh.models.catalogue import PackagedWeights

__all__ = ["fetch_from_hub", "reachable", "unreachable"]

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


def fetch_from_hub(repository: str, files: tuple[str, ...], *, offline: bool) -> Path | None:
    """The first of `files` that the local cache or the hub has; None where neither has one or may be asked."""
    os.environ.setdefault("HF_HUB_ETAG_TIMEOUT", str(SECONDS))
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    asked = [True] if offline or constants.HF_HUB_OFFLINE or not reachable(constants.ENDPOINT) else [True, False]
    for local in asked:
        for name in files:
            try:
                return Path(hf_hub_download(repository, name, local_files_only=local))
            except (LocalEntryNotFoundError, EntryNotFoundError):
                continue
            except Exception as error:  # gated, renamed, cut off: the caller says what was tried
                if isinstance(error, (KeyboardInterrupt, MemoryError)):
                    raise
                continue
    return None


def unreachable(address: str, tried: str, *, offline: bool, packaged: PackagedWeights | None) -> WeightsUnreachable:
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
