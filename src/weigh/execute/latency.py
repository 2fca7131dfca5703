"""How long a model takes for one example on this machine: measured on request, kept, and shown by `weigh models`.

One picture (or one text of 32 tokens), one thread of the processor, single precision, in which saved models answer. A figure is kept for a kind
of processor, an address, its files of weights and the versions that compute. Reading what is kept needs no torch. Before it:
`models/listing.py`, `train/timing.py`. After it: `cli/models.py`.
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from weigh.data.memo import Memo
from weigh.errors import SpecError, WeighError, reason_of
from weigh.files import stamps
from weigh.language import Text, text

__all__ = ["THREADS", "Latency", "instructions", "kept_latencies", "measure_latency", "parse_milliseconds"]

KEPT = Memo("latency-2")  # of an earlier number: some in half precision
THREADS = 1
COMPUTING = ("torch", "timm", "torchvision", "transformers", "keras", "onnxruntime", "tensorflow", "tensorflow-cpu")
PROCESSOR = ("model name", "hardware", "cpu part")  # lines of /proc/cpuinfo that name the kind
UNITS = {"ms": 1.0, "毫秒": 1.0, "": 1.0, "s": 1000.0, "秒": 1000.0}


class Latency(NamedTuple):
    """How long a model takes for one example.

    Attributes:
        milliseconds: None: not measured.
        reason: Why it is not, where that was tried.
    """

    milliseconds: float | None = None
    reason: Text | None = None


def parse_milliseconds(written: str) -> float:
    """ "20ms", "20", "0.5 s" in milliseconds.

    Raises:
        SpecError: No time above zero.
    """
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*(ms|毫秒|s|秒|)", written.strip().casefold())
    if match is None or not 0 < float(match[1]) < float("inf"):
        raise SpecError(
            text(
                "--max-latency: '{w}' is no time above zero.", "--max-latency：“{w}”不是大于零的时间。", w=written[:40]
            ),
            do=text("Write it like 20ms or 0.5s.", "请写成 20ms 或 0.5s 这样的形式。"),
        )
    return float(match[1]) * UNITS[match[2]]


def kept_latencies(addresses: Iterable[str]) -> dict[str, float]:
    """Milliseconds of those that were measured on this kind of processor, with the files of weights that lie here now."""
    key_by_address = {address: _key(address) for address in addresses}
    values, milliseconds = KEPT.get_many(key_by_address.values()), {}
    for address, key in key_by_address.items():
        if key in values:
            stored = json.loads(values[key])
            if stamps(stored["files"]) == stored["files"]:
                milliseconds[address] = float(stored["milliseconds"])
    return milliseconds


def measure_latency(address: str) -> Latency:
    """A model whose weights lie on this machine, timed and kept; nothing is downloaded. What goes wrong with one model is its reason."""
    from weigh.models.pretrained import load_model
    from weigh.train.timing import read_example

    try:
        model = load_model(address, pretrained=True, offline=True)
        milliseconds = 1000 * read_example(model).seconds
        facts = {"milliseconds": milliseconds, "weights": model.digest, "files": stamps(model.provenance.files)}
    except WeighError as error:
        return Latency(reason=error.what)
    except Exception as error:  # a library's own, of one model among many
        reason = reason_of(error, 120)
        return Latency(reason=Text(reason, reason))
    KEPT.put_many({_key(address): json.dumps(facts).encode()})
    return Latency(milliseconds)


def instructions() -> list[str]:
    """The instruction sets that decide how fast a pass is, as the kernel names them (Linux)."""
    flags = next((value.split() for name, value in _processor_facts() if name == "flags"), [])
    return [flag for flag in ("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8") if flag in flags]


def _key(address: str) -> str:
    return json.dumps([address, THREADS, *_machine()])


@cache
def _machine() -> list[str]:
    """The kind of processor, and the versions that compute."""
    kind = [value for name, value in _processor_facts() if name in PROCESSOR][:1]
    versions = [platform.system(), platform.machine(), platform.processor(), *kind, *instructions()]
    for package in COMPUTING:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return versions


def _processor_facts() -> list[tuple[str, str]]:
    """Lines of /proc/cpuinfo on the first processor; nothing where there is no such file."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            first = file.read().split("\n\n", 1)[0]
    except OSError:
        return []
    pairs = (line.partition(":") for line in first.splitlines())
    return [(name.strip().casefold(), value.strip()) for name, _, value in pairs]
