"""A saved average as one ONNX file: all members and the average of their answers in one graph.

Before it: `average.py`. Outputs are those of `onnx_file.py`: `logits` (the log of averaged probabilities), `probabilities` (calibrated) and
`label`, or `value` for numbers. Members that are prepared alike share their inputs. Those of a member that is prepared otherwise are called
`pictures_of_2` (…`_of_3`), and the metadata `members` says which inputs each takes, and how they are prepared.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn.functional import logsigmoid

from weigh.disk import write_file
from weigh.errors import ModelError
from weigh.kinds.base import Kind
from weigh.language import text
from weigh.models.preparation import PlainInputs
from weigh.saved.average import Member, SavedAverage, load_average, read_average
from weigh.saved.model import SavedModel
from weigh.saved.onnx_file import Graph, facts_of, free_dimensions, plain_inputs, require_onnx, write_graph

__all__ = ["Averaging", "Part", "export_average"]

FAR = 30.0  # logarithms of odds: beyond it double precision hardly tells a probability from 0 and 1, and `Kind.averaged` ends a little further out


class Part(NamedTuple):
    """One member in the graph.

    Attributes:
        at: Positions of its inputs among all.
        join: `(*inputs) -> batch` that its network takes.
    """

    model: SavedModel
    at: tuple[int, ...]
    join: Callable[..., torch.Tensor]


class Averaging(nn.Module):
    """All members between plain inputs and the answers of `weigh predict --ensemble`."""

    def __init__(self, saved: SavedAverage, parts: Sequence[Part]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(part.model.network for part in parts)
        self.parts, self.kind, self.temperature = parts, saved.meaning.kind, saved.meaning.temperature
        self.register_buffer("shares", torch.tensor(saved.shares, dtype=torch.float32)[:, None, None])
        self.register_buffer("bias", torch.tensor(saved.meaning.bias, dtype=torch.float32))

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        logits = torch.stack(
            [
                network(part.join(*(inputs[i] for i in part.at)))
                for network, part in zip(self.networks, self.parts, strict=True)
            ]
        )
        return self.answers(logits)

    def answers(self, logits: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """What the average answers, of the members' outputs `(members, n, k)`."""
        if not self.kind.typed:
            return ((self.shares * logits).sum(dim=0)[:, 0],)
        shares = (
            self.shares.log()
        )  # sums of probabilities, without leaving logarithms: single precision would round them to 0 and 1
        if not self.kind.exclusive:
            on, off = (torch.logsumexp(shares + logsigmoid(sign * logits), dim=0) for sign in (1, -1))
            averaged = on - off
            return averaged, torch.sigmoid(averaged / self.temperature), (averaged + self.bias > 0).long()
        averaged = torch.logsumexp(shares + torch.log_softmax(logits, dim=-1), dim=0)
        return averaged, torch.softmax(averaged / self.temperature, dim=-1), (averaged + self.bias).argmax(dim=-1)


def export_average(folder: Path, path: Path, *, trust_code: bool = False) -> float:
    """Write the saved average of `folder` as ONNX and check it against torch and `Kind.averaged`; returns the greatest difference.

    Raises:
        MissingExtra: onnx or onnxruntime is not installed.
        ModelError: A member cannot be written, or the exported average disagrees.
    """
    require_onnx()
    saved, members = load_average(folder, trust_code=trust_code), read_average(folder).members
    examples: dict[str, torch.Tensor] = {}
    parts: list[Part] = []
    written: list[dict[str, Any]] = []
    number_of: dict[tuple[str, bool], int] = {}
    free: list[dict[int, tuple[str, int, int]]] = []
    for member, model in zip(members, saved.members, strict=True):
        plain = _plain(member, model)
        key = (str(model.preparation), model.frozen and model.meaning.pair)
        known = key in number_of
        number = number_of.setdefault(key, len(number_of) + 1)
        names = [name if number == 1 else f"{name}_of_{number}" for name in plain.examples]
        if not known:
            examples |= dict(zip(names, plain.examples.values(), strict=True))
            free += [free_dimensions(plain, "" if number == 1 else f"_of_{number}")] * len(names)
        at = tuple(list(examples).index(name) for name in names)
        parts.append(Part(model, at, plain.join))
        written.append(
            {
                "candidate": member.candidate, "share": member.share, "inputs": names,
                "preprocessing": model.preparation.as_json(), **({} if known else _files(model, number, path)),
            }
        )  # fmt: skip
    answering = Averaging(saved, parts).eval()
    kind = saved.meaning.kind
    _check(kind, saved, answering, parts, list(examples.values()))
    names = ["logits", "probabilities", "label"] if kind.typed else ["value"]
    facts = {**facts_of(saved.meaning), "members": written}
    metadata = {name: json.dumps(value, ensure_ascii=False) for name, value in facts.items()}
    return write_graph(Graph(answering, examples, free, 1, names, metadata), path)


def _plain(member: Member, model: SavedModel) -> PlainInputs:
    """Inputs of one member; what cannot be written is said of it."""
    try:
        return plain_inputs(model)
    except ModelError as error:
        raise ModelError(
            text(
                "The average cannot be written as ONNX because of its member {c}: ", "平均模型无法写成 ONNX，原因在成员 {c}：", c=member.candidate
            )
            + error.what,
            error.why,
            text(
                "Predict with weigh: weigh predict STUDY … --ensemble; or export the winner alone, without --ensemble",
                "请用 weigh 预测：weigh predict 研究 … --ensemble；或去掉 --ensemble，只导出优胜者",
            ),
        ) from None  # fmt: skip


def _files(model: SavedModel, number: int, path: Path) -> dict[str, str]:
    """The tokenizer of a member, copied beside the file."""
    named = {}
    for name, content in model.preparation.files().items():
        if isinstance(content, str):
            beside = path.with_suffix(f".{name}" if number == 1 else f".{number}.{name}")
            write_file(beside, content)
            named[Path(name).stem] = beside.name
    return named


def _check(
    kind: Kind, saved: SavedAverage, answering: Averaging, parts: Sequence[Part], inputs: Sequence[torch.Tensor]
) -> None:
    """Whether the graph averages as the kind does.

    Raises:
        ModelError: It does not.
    """
    with torch.inference_mode():
        first = answering(*inputs)[0].double().numpy()
        answers = [part.model.network(part.join(*(inputs[i] for i in part.at))).numpy() for part in parts]
    expected = kind.averaged(answers, np.asarray(saved.shares))
    got = first if kind.typed else first[:, None]
    if kind.typed:
        expected, got = expected.clip(-FAR, FAR), got.clip(-FAR, FAR)
    if expected.shape != got.shape or not np.abs(expected - got).max() < 1e-3 * max(1.0, np.abs(expected).max()):
        raise ModelError(
            text("{k} are averaged in a way that no graph is known for.", "{k}取平均的方式尚无对应的计算图。", k=kind.title),
            do=text("Predict with weigh: weigh predict STUDY … --ensemble", "请用 weigh 预测：weigh predict 研究 … --ensemble"),
        )  # fmt: skip
