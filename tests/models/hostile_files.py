"""Files of weights that are made to run code, to fill the memory or never to end; read one after the other in a process of its own.

Run as a script with a folder: a line of JSON for each file (name, what came of it, megabytes by which the process grew).
"""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import struct
import sys
import tarfile
import zlib
from pathlib import Path

BLOCK = 1 << 24
LIMIT = 12 << 30  # bytes of address space that the reading process may take


class Call:
    """Pickled as a call of `os.system` that leaves a trace."""

    def __reduce__(self):
        return os.system, ("touch OWNED",)


def packed_zeros(blocks: int) -> tuple[bytes, int]:
    """Zeros that were packed once, and how many they are unpacked."""
    packer, end = (zlib.compressobj(9, zlib.DEFLATED, -15) for _ in range(2))
    block = packer.compress(bytes(BLOCK)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * blocks + end.flush(), blocks * BLOCK


def zip_of(entries) -> bytes:
    """A zip of (name, method, content, checksum, stated size): nothing is compared."""
    file, directory = io.BytesIO(), b""
    for name, method, content, checksum, size in entries:
        at, named = file.tell(), name.encode()
        sizes = (checksum, len(content), size, len(named), 0)
        file.write(struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, 0, method, 0, 0, *sizes) + named + content)
        directory += (
            struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 20, 20, 0, method, 0, 0, *sizes, 0, 0, 0, 0, at) + named
        )
    at, n = file.tell(), len(entries)
    return file.getvalue() + directory + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, n, n, len(directory), at, 0)


def safetensors(header, content: bytes = b"", length: int | None = None) -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + content


def write_pickles(folder: Path) -> None:
    import torch

    state = torch.nn.Linear(2, 2).state_dict()
    torch.save(state, folder / "good.pth")
    reader = torch._C.PyTorchFileReader(str(folder / "good.pth"))
    parts = {f"good/{name}": reader.get_record(name) for name in reader.get_all_records()}

    def changed(ending: str, content: bytes, *, method=0, size: int | None = None) -> bytes:
        return zip_of([
            (name, method, content, 0 if method else zlib.crc32(content), len(content) if size is None else size)
            if name.endswith(ending)
            else (name, 0, part, zlib.crc32(part), len(part))
            for name, part in parts.items()
        ])  # fmt: skip

    bomb, size = packed_zeros(150)  # 2.5 GB
    shared: dict = {f"a{i}": 1 for i in range(2000)}
    for letter in "bc":
        shared = {f"{letter}{i}": shared for i in range(2000)}
    files = {
        "bomb-pickle.pth": changed("data.pkl", bomb, method=8, size=size),
        "bomb-values.pt": changed("data/0", bomb, method=8, size=size),
        "bomb-that-lies.pth": changed("data.pkl", bomb, method=8, size=100),
        "nested.pth": changed("data.pkl", b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b"."),
        "long-bytes.pth": changed("data.pkl", b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b"abc."),
        "long-bytes-old.pth": b"\x80\x02\x8e" + struct.pack("<Q", 1 << 33) + b"abc",
        "protocol-4.pth": pickle.dumps({"a": Call()}, 4),
        "protocol-0.pt": b"(S'touch OWNED'\nios\nsystem\n.",
        "protocol-0.bin": pickle.dumps(Call(), 0),
        "one.ckpt": pickle.dumps([Call()], 2),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    saved = {
        "shared.pth": shared,
        "names.pth": {"\x1b[31mred\n" + "y" * 100_000: torch.zeros(2), "b": torch.zeros(2)},
        "sparse.pth": {"weight": torch.eye(3).to_sparse(), "bias": torch.zeros(2)},
        "without-values.pth": {"weight": torch.zeros(3, 3, device="meta"), "bias": torch.zeros(2)},
        "expanded.pth": {"weight": torch.zeros(1).expand(10**6, 10**6), "bias": torch.zeros(2)},
        "payload.pth": {"state_dict": state, "callbacks": Call()},
        "payload-in-names.pth": {"state_dict": {**state, "more": Call()}},
    }
    for name, content in saved.items():
        torch.save(content, folder / name)
    torch.save({"state_dict": state, "x": Call()}, folder / "payload-old.pth", _use_new_zipfile_serialization=False)
    with tarfile.open(folder / "old.tar.pth", "w") as archive:
        for name in ("sys_info", "pickle", "tensors", "storages"):
            member, content = tarfile.TarInfo(name), pickle.dumps(Call())
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def write_safetensors(folder: Path) -> None:
    one = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    many = b",".join(b'"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}' % i for i in range(400_000))
    files = {
        "length-2-63": safetensors({"a": one}, bytes(8), 1 << 63),
        "length-beyond": safetensors({"a": one}, bytes(8), 10**7),
        "overlapping": safetensors({"a": one, "b": one}, bytes(8)),
        "too-short": safetensors({"a": {**one, "shape": [3]}}, bytes(8)),
        "beyond-the-end": safetensors({"a": {**one, "shape": [4], "data_offsets": [0, 16]}}, bytes(8)),
        "overflow": safetensors({"a": {**one, "shape": [2**32, 2**32, 4]}}, bytes(8)),
        "hole": safetensors({"a": one, "b": {**one, "data_offsets": [16, 24]}}, bytes(24)),
        "backwards": safetensors({"a": {**one, "data_offsets": [8, 0]}}, bytes(8)),
        "unknown-kind": safetensors({"a": {**one, "dtype": "X9"}}, bytes(8)),
        "negative": safetensors({"a": {**one, "shape": [-2]}}, bytes(8)),
        "nested": safetensors(b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
        "no-json": safetensors(b"\xff" * 100),
        "four-hundred-thousand": safetensors(b"{" + many + b"}"),
        "names": safetensors({"\x1b[31m": one}, bytes(8)),
    }
    for name, content in files.items():
        (folder / f"{name}.safetensors").write_bytes(content)


def write_links(folder: Path) -> None:
    for name, target in {"device": "/dev/zero", "loop": "loop.pth", "dangling": "absent"}.items():
        (folder / f"{name}.pth").symlink_to(target)
        (folder / f"{name}.safetensors").symlink_to(target if name != "loop" else "loop.safetensors")
    os.mkfifo(folder / "pipe.pth")
    index = {"metadata": {}, "weight_map": {"weight": "../outside.safetensors"}}
    (folder / "outside.safetensors.index.json").write_text(json.dumps(index))
    (folder / "no-map.safetensors.index.json").write_text("[]")


def write_folders(folder: Path) -> None:
    """Folders of the transformers library."""
    import torch
    import transformers

    settings = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    model = transformers.ViTModel(transformers.ViTConfig(**settings, image_size=32, patch_size=8))
    prepared = {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": 32, "width": 32},
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
    }

    good = folder / "good-folder"
    model.save_pretrained(good)
    (good / "preprocessor_config.json").write_text(json.dumps(prepared))

    def folder_of(name: str, **config) -> Path:
        path = Path(shutil.copytree(good, folder / name))
        (path / "config.json").write_text(json.dumps({**json.loads((path / "config.json").read_text()), **config}))
        (path / "evil.py").write_text("import os\nos.system('touch OWNED')\n")
        return path

    weights = "model.safetensors"
    folder_of("own-code", auto_map={"AutoModel": "evil.Model", "AutoConfig": "evil.Config"})
    folder_of("own-code-elsewhere", auto_map={"AutoModel": "stranger/repository--evil.Model"}, model_type="evil")
    torch.save(Call(), folder_of("pickle-alone") / "pytorch_model.bin")
    (folder / "pickle-alone" / weights).unlink()
    (folder_of("no-weights") / weights).unlink()
    for name, target in {"folder-device": "/dev/zero", "folder-loop": weights, "folder-dangling": "absent"}.items():
        (folder_of(name) / weights).unlink()
        (folder / name / weights).symlink_to(target)
    (folder_of("folder-header") / weights).write_bytes((folder / "four-hundred-thousand.safetensors").read_bytes())
    (folder_of("folder-length") / weights).write_bytes(safetensors({}, b"", 1 << 62))
    (folder_of("folder-outside") / weights).rename(folder / "outside.safetensors")
    index = {"metadata": {}, "weight_map": dict.fromkeys(model.state_dict(), "../outside.safetensors")}
    (folder / "folder-outside" / f"{weights}.index.json").write_text(json.dumps(index))


def main(folder: Path) -> None:
    import resource

    from weigh.errors import WeighError
    from weigh.models.checkpoint import read_checkpoint
    from weigh.models.pretrained import load_model

    os.chdir(folder)
    load_model("hf:./good-folder", pretrained=True, offline=True)  # libraries are there before memory is measured
    read_checkpoint(Path("good.pth"))
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    for path in sorted(Path().iterdir()):
        try:
            if path.is_dir():
                load_model(f"hf:./{path}", pretrained=True, offline=True)
            else:
                read_checkpoint(path)
            outcome = "read"
        except WeighError as error:
            outcome = f"refused: {error.render('en')}"
        except BaseException as error:
            outcome = f"raised: {error!r}"
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) // 1024
        print(json.dumps([path.name, outcome, grown]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
