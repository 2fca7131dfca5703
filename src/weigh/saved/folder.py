"""The files of a saved model: written one by one, the one that names the others last, and checked before they are used.

config.json holds the digest of every other file and one of itself, so weights that a disk damaged, or that belong to another
model, are never predicted with. No torch here: whether a study has its model is asked without it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from weigh.data.contents import hash_file
from weigh.disk import replacing, write_file
from weigh.errors import ModelError, RecordError, WeighError
from weigh.kinds.base import Kind, kind_named
from weigh.language import as_sentence, text
from weigh.notices import notice

__all__ = [
    "CONFIG",
    "ENSEMBLE",
    "FORMAT",
    "MODEL",
    "check_format",
    "copy_model",
    "read_config",
    "rewrite_config",
    "saved_folder",
    "tell_passed",
    "write_config",
    "write_model",
]

FORMAT = 3  # of what stands under "weigh"
CONFIG = "config.json"
MODEL = "model"  # folder in that of a study: its winner
ENSEMBLE = "ensemble"  # and the average of several candidates
REPORT = "findings.json"  # file in the folder of a study
WEIGHTS, OWN = "model.safetensors", "weigh"


def write_model(
    folder: Path, weights: Mapping[str, np.ndarray], config: dict[str, Any], files: Mapping[str, str | dict[str, Any]]
) -> None:
    """A folder with a config.json is complete.

    Args:
        config: Of config.json; what is ours stands under "weigh".
        files: Name -> text, or a mapping that is written as JSON.

    Raises:
        StorageError: The disk does not take it.
    """
    (folder / CONFIG).unlink(missing_ok=True)
    with replacing(folder / WEIGHTS) as temporary:
        _save(weights, temporary)
    for name, content in files.items():
        write_file(folder / name, content if isinstance(content, str) else _as_json(content))
    write_config(folder, config, (WEIGHTS, *files))


def write_config(folder: Path, config: dict[str, Any], names: Iterable[str]) -> None:
    """config.json with the digests of the files `names`, which are there already; what is ours stands under "weigh"."""
    own = {name: value for name, value in config[OWN].items() if name != "digest"}
    own["files"] = {name: hash_file(folder / name) for name in names}
    own["digest"] = _digest({**config, OWN: own})
    write_file(folder / CONFIG, _as_json({**config, OWN: own}))


def rewrite_config(folder: Path, config: Mapping[str, Any], **changed: Any) -> None:
    """config.json with other values under "weigh"; the files that it names stay.

    Args:
        config: As `read_config` gave it.
    """
    own = {**config[OWN], **changed}
    write_config(folder, {**config, OWN: own}, own["files"])


def copy_model(source: Path, target: Path) -> None:
    """The files of a model in another folder too; where the disk can link them they take no room twice.

    Raises:
        StorageError: The disk does not take it. OSError, ValueError: The model is not what was written (`read_config`).
    """
    names = read_config(source)[OWN]["files"]
    (target / CONFIG).unlink(missing_ok=True)
    for name in (*names, CONFIG):
        with replacing(target / name) as temporary:
            try:
                os.link(source / name, temporary)
            except OSError:
                shutil.copyfile(source / name, temporary)


def read_config(folder: Path) -> dict[str, Any]:
    """What config.json holds, if all files are as they were written; of another format it is not known how they were.

    Raises:
        OSError, ValueError: They are not, or one is missing; says which.
    """
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    own = config.get(OWN) if isinstance(config, dict) else None
    if not isinstance(own, dict) or own.get("format") != FORMAT:
        return config
    if own.get("digest") != _digest({**config, OWN: {name: value for name, value in own.items() if name != "digest"}}):
        raise ValueError(f"{CONFIG} is not what was written")
    for name, digest in own["files"].items():
        if not _stays_inside(name):
            raise ValueError(f"{CONFIG} names a file outside of its folder: {ascii(name)[1:121]}")
        if hash_file(folder / name) != digest:
            raise ValueError(f"{name} is missing or not what was written")
    return config


def _stays_inside(name: str) -> bool:
    """Whether a name cannot lead out of a folder: files are read, and copied, by the names that a config.json of anybody states."""
    parts = name.replace("\\", "/").split("/")
    return bool(parts[0]) and ".." not in parts and ":" not in name


def saved_folder(study: Path, *, ensemble: bool) -> Path:
    """Where the refitted winner of the study in a folder lies, or its average of several candidates.

    Raises:
        RecordError: Nothing is saved there yet.
    """
    folder = study / (ENSEMBLE if ensemble else MODEL)
    if (folder / CONFIG).exists() or (not ensemble and (folder / WEIGHTS).exists()):
        return folder
    kind = _kind_of_winner(study) if ensemble else None
    if kind is not None and kind.unaveraged is not None:
        raise RecordError(
            text("{f} has no saved average of several candidates: {k} cannot be averaged.",
                 "{f} 中没有保存多个候选方案的平均模型：{k}不能取平均。", f=study, k=kind.title),
            as_sentence(kind.unaveraged),
            text("Leave --ensemble out: the winner answers alone.", "请去掉 --ensemble：由优胜者单独作答。"),
        )  # fmt: skip
    if ensemble:
        raise RecordError(
            text("{f} has no saved average of several candidates.", "{f} 中没有保存多个候选方案的平均模型。", f=study),
            text(
                "The winner is a single candidate; an average is saved where it is asked for.",
                "优胜者是单个候选方案；平均模型只有在要求时才会保存。",
            ),
            text(
                "If several candidates were compared, save it: weigh run {f} --set output.ensemble=always. Its members are refitted on all training data, each as long as one refit takes.",
                "若研究比较了多个候选方案，可保存它：weigh run {f} --set output.ensemble=always。其成员会用全部训练数据重新拟合，每个成员耗时相当于一次重新拟合。",
                f=shlex.quote(str(study)),
            ),
        )  # fmt: skip
    raise RecordError(
        text("{f} has no refitted model yet.", "{f} 中还没有重新拟合的模型。", f=study),
        do=text(
            "Finish the study, with a model at its end: weigh run {f} --set output.refit=true",
            "请完成研究，并在最后保存模型：weigh run {f} --set output.refit=true",
            f=shlex.quote(str(study)),
        ),
    )


def _kind_of_winner(study: Path) -> Kind | None:
    """What the saved winner answers with; None where none is saved, or its file cannot be read."""
    try:
        return kind_named(json.loads((study / MODEL / CONFIG).read_text(encoding="utf-8"))[OWN]["kind"])
    except (OSError, ValueError, KeyError, TypeError, WeighError):
        return None


def tell_passed(study: Path) -> None:
    """Tell that the model which a study saved is not the winner that its report names: there are results since, and nothing was refitted.

    The report is asked, and not the records: reading those takes longer than a prediction.
    """
    config, report = study / MODEL / CONFIG, study / REPORT
    try:
        if report.stat().st_mtime_ns < config.stat().st_mtime_ns:  # killed between the refit and its report
            return
        saved = json.loads(config.read_text(encoding="utf-8"))[OWN]["facts"]["candidate"]
        winner = json.loads(report.read_text(encoding="utf-8"))["study"]["winner"]
    except (OSError, ValueError, KeyError, TypeError):  # of a version that kept neither, or not written yet
        return
    if winner is None or saved == winner:
        return
    notice(
        text(
            "The saved model is {a}. The study has results since by which {b} comes first, and its report speaks of that one. To save it: weigh run {s} --set output.refit=true",
            "保存的模型是 {a}。按此后的结果，排名第一的是 {b}，报告所说的也是后者。若要保存后者：weigh run {s} --set output.refit=true",
            a=saved,
            b=winner,
            s=shlex.quote(str(study)),
        ),
        always=True,
    )


def check_format(own: Mapping[str, Any], folder: Path) -> None:
    """Whether this version reads what another version may have written.

    Args:
        own: What stands under "weigh".

    Raises:
        ModelError: It does not.
    """
    if own["format"] == FORMAT:
        return
    raise ModelError(
        text(
            "The model in {f} is of format {a}; this version reads format {b}.",
            "{f} 中的模型为格式 {a}；当前版本读取格式 {b}。",
            f=folder,
            a=own["format"],
            b=FORMAT,
        ),
        do=text(
            "Open it with the version that wrote it: {v}.", "请用写入它的版本打开：{v}。", v=own.get("version", "?")
        ),
    )


def _save(weights: Mapping[str, np.ndarray], path: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    try:
        save_file(dict(weights), path, metadata={"format": "pt"})
    except SafetensorError as error:
        code = re.search(r"os error (\d+)|code: (\d+)", str(error))
        if code is None:
            raise
        number = int(code[1] or code[2])
        raise OSError(number, os.strerror(number)) from None


def _as_json(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def _digest(config: dict[str, Any]) -> str:
    """The hash of the values as they are read back: tuples are lists by then."""
    written = json.dumps(json.loads(json.dumps(config)), sort_keys=True)
    return hashlib.blake2b(written.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
