"""What it means when the model hub does not give a file, and what to do about it. Before it: `hub.py`, which asks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

from weigh.errors import reason_of
from weigh.language import Text, text

__all__ = ["Refusal", "is_absent", "is_passing", "no_answer", "no_such_file", "not_here", "refusal_of", "wrong_content"]

PATIENCE = 10  # seconds that the hub may ask us to wait; beyond, the user is told
NOT_READ = {  # files of a repository -> what it is; the first that it has is said
    "open_clip_config.json": text(
        "It is a model of open_clip. timm has most of its towers of pictures: `weigh models 'timm:*clip*'` lists them, write timm:NAME",
        "这是 open_clip 的模型。timm 收录了其大多数图像塔：`weigh models 'timm:*clip*'` 会列出，请写成 timm:名称",
    ),
    "model_index.json": text(
        "It makes pictures. Choose an encoder: `weigh models 'hf:*'`",
        "这是生成图片的模型。请选择编码器：`weigh models 'hf:*'`",
    ),
    "adapter_config.json": text(
        "It is an adapter. Merge it into its model (merge_and_unload of peft), save that with save_pretrained and give its folder: hf:./FOLDER",
        "这是适配器。请用 peft 的 merge_and_unload 合并到原模型，再用 save_pretrained 保存，并给出该文件夹：hf:./文件夹",
    ),
    "pytorch_model.bin": text(
        "Its weights are a pickle, which could run code. If you trust it, convert it once: python -c \"from transformers import AutoModel; "
        "AutoModel.from_pretrained('{r}').save_pretrained('mine')\", with its preprocessor or tokenizer beside it, and give hf:./mine",
        "其权重是 pickle 文件，可能执行代码。若信任它，请转换一次：python -c \"from transformers import AutoModel; "
        "AutoModel.from_pretrained('{r}').save_pretrained('mine')\"，连同预处理器或分词器一起保存，再给出 hf:./mine",
    ),
    "model.onnx": text("Give that file: onnx:PATH", "请给出该文件：onnx:路径"),
    "tf_model.h5": text("Only weights of TensorFlow are there. Choose another repository.", "仓库中只有 TensorFlow 权重。请换用其他仓库。"),
}  # fmt: skip


class Refusal(NamedTuple):
    """Why there is no file.

    Attributes:
        what: Was tried, and what came of it.
        do: What to do; None: the usual.
    """

    what: Text
    do: Text | None = None


class WrongContentError(OSError):
    """A file has not the hash that the hub states."""


def wrong_content(name: str) -> WrongContentError:
    """The error of a file that is not what the hub says."""
    return WrongContentError(name)


def not_here(repository: str, damaged: Path | None, *, by_environment: bool) -> Refusal:
    """The hub must not be asked.

    Args:
        damaged: A file that lies in the cache, but is not what it should be.
        by_environment: HF_HUB_OFFLINE says so, and not the command.
    """
    what = text("local cache of {r}", "{r} 的本地缓存", r=repository)
    if damaged is not None:
        what = text("{p} is damaged: it has not the hash that it is kept under", "{p} 已损坏：与其哈希不符", p=damaged)
    if by_environment:
        return Refusal(
            what,
            text(
                "HF_HUB_OFFLINE is set. Unset it and run once with a network.",
                "已设置 HF_HUB_OFFLINE。请取消它并联网运行一次。",
            ),
        )
    return Refusal(what)


def no_answer(endpoint: str) -> Refusal:
    """The hub, or the mirror in its place, does not answer."""
    return Refusal(text("{u} does not answer", "{u} 没有响应", u=endpoint))


def no_such_file(repository: str, files: tuple[str, ...], revision: str | None) -> Refusal:
    """A repository has none of these files: what it has says what to do."""
    place = f"{repository}@{revision}" if revision else repository
    what = text("{r} has no {f}", "{r} 中没有 {f}", r=place, f=" / ".join(files))
    there = _files_of(repository, revision)
    for name, advice in NOT_READ.items():
        if any(file.rpartition("/")[2] == name for file in there):
            return Refusal(what, Text(*(part.replace("{r}", repository) for part in advice)))
    near = [file for file in there if file.endswith((".safetensors", "config.json"))][:3]
    if near:
        what = text("{w}, but {n}", "{w}，但有 {n}", w=what, n=", ".join(near))
    return Refusal(
        what,
        text(
            "Choose a repository that has config.json and model.safetensors of the transformers library.",
            "请选择含有 transformers 库的 config.json 和 model.safetensors 的仓库。",
        ),
    )


def _files_of(repository: str, revision: str | None) -> list[str]:
    from huggingface_hub import HfApi, constants

    try:
        about = HfApi(endpoint=constants.ENDPOINT).model_info(repository, revision=revision, timeout=5)
        return [str(file.rfilename) for file in about.siblings or []]
    except Exception:  # it helps with advice only, and what a server answers may be anything
        return []


def is_absent(error: Exception) -> bool:
    """Whether the repository is there, but not this file."""
    from huggingface_hub import errors

    return isinstance(error, errors.EntryNotFoundError) and not isinstance(error, errors.LocalEntryNotFoundError)


def is_passing(error: Exception) -> bool:
    """Whether the same question may be answered in a moment."""
    status = _status(error)
    if status == 429:
        return _wait(error) <= PATIENCE
    return status >= 500


def refusal_of(error: Exception, repository: str, revision: str | None) -> Refusal:
    """What an error of the client means."""
    from huggingface_hub import constants, errors

    if isinstance(error, errors.LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # what happened, in place of the client's advice
    hub, status, kinds = constants.ENDPOINT, _status(error), {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, errors.GatedRepoError):
        return _gated(hub, repository)
    if isinstance(error, errors.RevisionNotFoundError):
        return Refusal(
            text("{r} has no revision '{v}'", "{r} 没有版本“{v}”", r=repository, v=revision),
            text(
                "Take a branch, a tag or a whole commit of {u}/{r}/commits, or leave @{v} out for the newest.",
                "请使用 {u}/{r}/commits 中的分支、标签或完整的提交号；省略 @{v} 则使用最新版本。",
                u=hub,
                r=repository,
                v=revision,
            ),
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return _no_repository(hub, repository)
    if isinstance(error, errors.DisabledRepoError) or status == 451:
        return Refusal(
            text("{u} has switched {r} off", "{u} 已停用 {r}", u=hub, r=repository),
            text("Choose another model: `weigh models 'hf:*'`", "请换用其他模型：`weigh models 'hf:*'`"),
        )
    as_it_reads = text("{u}/{r}: {e}", "{u}/{r}：{e}", u=hub, r=repository, e=reason_of(error, 160))
    return _by_status(error, status, hub, repository) or _by_kind(error, kinds, hub, repository) or Refusal(as_it_reads)


def _by_status(error: Exception, status: int, hub: str, repository: str) -> Refusal | None:
    """What a status of HTTP says that the hub answered with."""
    if status in (401, 403):
        return Refusal(
            text("{u} does not accept your token for {r}", "{u} 不接受您访问 {r} 的令牌", u=hub, r=repository),
            text(
                "Make a new one that may read repositories at {u}/settings/tokens and run `hf auth login`; for public models unset HF_TOKEN, or "
                "run `hf auth logout`.",
                "请在 {u}/settings/tokens 新建可读取仓库的令牌并运行 `hf auth login`；公开模型则请取消 HF_TOKEN，或运行 `hf auth logout`。",
                u=hub,
            ),
        )
    if status == 429:
        return Refusal(
            text("{u} has had too many requests from here", "{u} 收到来自此处的请求过多", u=hub),
            text(
                "Wait {s} {s:|second|seconds} and run the same command again; with a token (`hf auth login`) more are allowed.",
                "请等待 {s} 秒后再次运行同一命令；使用令牌（`hf auth login`）可获得更高限额。",
                s=_wait(error) or 60,
            ),
        )
    if status >= 500:
        return Refusal(
            text("{u} is not well: status {s}", "{u} 出现故障：状态码 {s}", u=hub, s=status),
            text(
                "Run the same command again in some minutes, or set HF_ENDPOINT to a mirror.",
                "请几分钟后再次运行同一命令，或将 HF_ENDPOINT 设为镜像。",
            ),
        )
    return None


def _by_kind(error: Exception, kinds: set[str], hub: str, repository: str) -> Refusal | None:
    """What went wrong with an answer, or on its way; `kinds` are the names of the error's classes."""
    if isinstance(error, WrongContentError):
        return Refusal(
            text(
                "{f} of {r} came with another content than {u} states; it was deleted",
                "{r} 的 {f} 内容与 {u} 声明的不符，已删除",
                f=error,
                r=repository,
                u=hub,
            ),
            text(
                "Run the same command again; if that comes again, the mirror or a proxy changes files: set HF_ENDPOINT to another.",
                "请再次运行同一命令；若仍如此，说明镜像或代理改动了文件：请将 HF_ENDPOINT 设为其他地址。",
            ),
        )
    if "TimeoutException" in kinds:
        return Refusal(
            text("{u} does not answer in time for {r}", "{u} 未及时响应对 {r} 的请求", u=hub, r=repository),
            text(
                "Run the same command again; on a slow line with HF_HUB_ETAG_TIMEOUT=60 HF_HUB_DOWNLOAD_TIMEOUT=60 before it, or set HF_ENDPOINT to a mirror.",
                "请再次运行同一命令；网络较慢时在命令前加 HF_HUB_ETAG_TIMEOUT=60 HF_HUB_DOWNLOAD_TIMEOUT=60，或将 HF_ENDPOINT 设为镜像。",
            ),
        )
    if kinds & {"FileMetadataError", "DecodingError", "LocalProtocolError", "HfHubHTTPError"}:
        return Refusal(
            text("{u} does not answer as a model hub does", "{u} 的响应不像模型库", u=hub),
            text(
                "Check HF_ENDPOINT and the proxy; without HF_ENDPOINT https://huggingface.co is asked.",
                "请检查 HF_ENDPOINT 和代理设置；不设置 HF_ENDPOINT 时使用 https://huggingface.co。",
            ),
        )
    if "TransportError" in kinds or "Consistency check failed" in str(error):
        return Refusal(
            text(
                "the download of {r} from {u} broke off; what had come was deleted",
                "从 {u} 下载 {r} 时中断，已收到的部分已删除",
                r=repository,
                u=hub,
            ),
            text(
                "Run the same command again, or set HF_ENDPOINT to a mirror.",
                "请再次运行同一命令，或将 HF_ENDPOINT 设为镜像。",
            ),
        )
    return None


def _gated(hub: str, repository: str) -> Refusal:
    from huggingface_hub import get_token

    where = f"{hub}/{repository}"
    what = text("{r} is gated: its owners want their terms accepted", "{r} 受限：须先接受其条款", r=repository)
    if get_token():
        what = text("{r} is gated, and your token has no access to it", "{r} 受限，您的令牌无权访问", r=repository)
        return Refusal(
            what,
            text(
                "Accept its terms at {w} with the account of the token, wait for its owners where they decide, and run the same command again.",
                "请用令牌所属账号在 {w} 接受条款；如需审批请等待通过，再运行同一命令。",
                w=where,
            ),
        )
    return Refusal(
        what,
        text(
            "Accept its terms at {w}, make a token at {u}/settings/tokens, run `hf auth login` (or set HF_TOKEN), and run the same command again.",
            "请在 {w} 接受条款，在 {u}/settings/tokens 新建令牌，运行 `hf auth login`（或设置 HF_TOKEN），再运行同一命令。",
            w=where,
            u=hub,
        ),
    )


def _no_repository(hub: str, repository: str) -> Refusal:
    return Refusal(
        text("{u} has no {r}, or it is private", "{u} 上没有 {r}，或它是私有的", u=hub, r=repository),
        text(
            "Check the name at {u}/models?search={n}; for a private one run `hf auth login` (or set HF_TOKEN).",
            "请在 {u}/models?search={n} 核对名称；私有仓库请运行 `hf auth login`（或设置 HF_TOKEN）。",
            u=hub,
            n=repository.rpartition("/")[2],
        ),
    )


def _response(error: BaseException | None) -> Any:
    while error is not None:
        if (response := getattr(error, "response", None)) is not None:
            return response
        error = error.__cause__
    return None


def _status(error: Exception) -> int:
    """The status of the server's answer; 0 where there was none."""
    response = _response(error)
    return int(response.status_code) if response is not None else 0


def _wait(error: Exception) -> int:
    """Seconds that the hub asks us to wait."""
    headers = _response(error).headers
    if limit := re.search(r"\bt=(\d+)", headers.get("ratelimit", "")):
        return int(limit[1])
    seconds = headers.get("Retry-After", "")
    return int(seconds) if seconds.isdecimal() else 0
