"""TensorFlow in a process of its own: started when it is first needed, ended with this one.

Both frameworks in one process would fight for threads and memory. Arrays go through pipes as plain bytes, errors come back in words.
Ctrl-C reaches this process alone: it ends the other one. Before it: `inert.py`, which says what TensorFlow is given. Its other side: `worker.py`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import weakref
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import numpy as np

from weigh.errors import MissingExtra, ModelError
from weigh.language import text

__all__ = ["TensorFlow", "require_tensorflow", "tensorflow_version"]

LONGEST_HEADER = 1 << 20
LONGEST_ANSWER = 600.0  # seconds for a batch, or for starting: beyond it something waits for ever
PATIENCE = 2.0  # seconds that the other process has for ending


def require_tensorflow() -> None:
    """Raise an error if TensorFlow is not installed; it is not imported here.

    Raises:
        MissingExtra: It is not.
    """
    if find_spec("tensorflow") is None:
        raise MissingExtra("tensorflow", text("running a model of TensorFlow", "运行 TensorFlow 模型"), "tensorflow")


def tensorflow_version() -> str:
    """The version that is installed under one of TensorFlow's names."""
    for name in ("tensorflow", "tensorflow-cpu", "tf-nightly", "tensorflow-macos"):
        with contextlib.suppress(PackageNotFoundError):
            return version(name)
    return "?"


class TensorFlow:
    """A graph in another process.

    Args:
        graph: As `inert.needed_part` gives it.
        threads: That compute.
        written: The address of the model, for messages.
        restore, filename, variables: The node that fills variables, the tensor that takes the path of their files, and that path.

    Raises:
        MissingExtra: TensorFlow is not installed.
        ModelError: TensorFlow does not take the graph.
    """

    def __init__(
        self, graph: bytes, *, threads: int, written: str, restore: str = "", filename: str = "", variables: Path | None = None
    ) -> None:  # fmt: skip
        require_tensorflow()
        self.written, self.threads, self.seconds = written, threads, 0.0
        self._lock = threading.Lock()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process runs
        environment = {
            **os.environ,
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "CUDA_VISIBLE_DEVICES": "-1",
            "OMP_NUM_THREADS": str(threads),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("worker.py")), str(os.getpid())], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self._log, env=environment, start_new_session=True,
        )  # fmt: skip
        self._end = weakref.finalize(self, _end, self._process, self._log)
        where = "" if variables is None else str(variables)
        header = {"do": "load", "threads": threads, "restore": restore, "filename": filename, "variables": where}
        self.libraries: str = self._ask(header, graph)[0]["libraries"]

    def run(self, input_: str, output: str, batch: np.ndarray) -> np.ndarray:
        """The values of a tensor for a batch: float32."""
        batch = np.ascontiguousarray(batch)
        header = {"do": "run", "input": input_, "output": output, "shape": batch.shape, "dtype": batch.dtype.str}
        answer, content = self._ask(header, batch.data)
        self.seconds += answer["seconds"]
        return np.frombuffer(content, np.float32).reshape(answer["shape"]).copy()

    def freeze(self, inputs: list[str], outputs: list[str]) -> bytes:
        """The graph with its variables as constants and without calls of functions."""
        return self._ask({"do": "freeze", "inputs": inputs, "outputs": outputs})[1]

    def sizes(self, input_: str, names: list[str], batch: np.ndarray) -> dict[str, int]:
        """Number of values that nodes make of a batch."""
        header = {"do": "operations", "input": input_, "names": names, "shape": batch.shape, "dtype": batch.dtype.str}
        return self._ask(header)[0]["sizes"]

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        """End the other process."""
        self._end()

    def _ask(self, header: dict[str, Any], content: bytes | memoryview = b"") -> tuple[dict[str, Any], bytes]:
        content = memoryview(content).cast("B")
        packed = json.dumps({**header, "bytes": len(content)}).encode()
        with self._lock:
            limit = threading.Timer(LONGEST_ANSWER, self._process.kill)
            limit.daemon = True
            limit.start()
            try:
                pipe = self._process.stdin
                assert pipe is not None
                pipe.write(struct.pack("<I", len(packed)) + packed)
                pipe.write(content)
                pipe.flush()
                answer = self._read(struct.unpack("<I", self._read(4))[0], LONGEST_HEADER)
                reply = json.loads(answer)
                payload = self._read(int(reply["bytes"]))
            except (EOFError, OSError, ValueError):
                raise self._ended() from None
            except BaseException:  # Ctrl-C in the middle of an answer: whatever came next would be read as another one
                self.close()
                raise
            finally:
                limit.cancel()
        if "error" in reply:
            raise ModelError(
                text(
                    "TensorFlow cannot run {a}: {e}",
                    "TensorFlow 无法运行 {a}：{e}",
                    a=self.written,
                    e=reply["error"][:300],
                ),
                do=text(
                    "Look at the model with TensorFlow itself; or export it as ONNX: onnx:PATH.onnx.",
                    "请直接用 TensorFlow 检查该模型；或将其导出为 ONNX：onnx:PATH.onnx。",
                ),
            )
        return reply, payload

    def _read(self, size: int, most: int | None = None) -> bytes:
        pipe = self._process.stdout
        assert pipe is not None
        if most is not None and size > most:
            raise EOFError
        content = pipe.read(size)
        if len(content) < size:
            raise EOFError
        return content

    def _ended(self) -> ModelError:
        """The error that says how the other process ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(PATIENCE)
        code, lines = self._process.poll(), _last_lines(self._log)
        self.close()
        ending = text("it ended with code {c}", "退出代码为 {c}", c=code)
        if code is not None and code < 0:
            ending = text("it was ended by {s}", "被信号 {s} 终止", s=signal.Signals(-code).name)
        return ModelError(
            text(
                "The process that runs TensorFlow for {a} ended: {h}. {l}",
                "为 {a} 运行 TensorFlow 的进程已结束：{h}。{l}",
                a=self.written,
                h=ending,
                l=lines,
            ),
            text(
                "Most often the memory was not enough, or there was no answer for {m} minutes.",
                "最常见的原因是内存不足，或 {m} 分钟没有应答。",
                m=int(LONGEST_ANSWER / 60),
            ),
            text("Run it again with fewer at a time: --set run.jobs=1", "请减少并行数后重试：--set run.jobs=1"),
        )


def _end(process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError, ValueError):
            if pipe is not None:
                pipe.close()
    with contextlib.suppress(OSError):
        process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(PATIENCE)
    log.close()


def _last_lines(log: IO[bytes]) -> str:
    """The end of what TensorFlow said."""
    try:
        log.seek(0, os.SEEK_END)
        log.seek(max(0, log.tell() - 2000))
        lines = [line.strip() for line in log.read().decode("utf-8", "replace").splitlines() if line.strip()]
    except (OSError, ValueError):
        return ""
    return "".join(character for character in (lines or [""])[-1][:300] if character.isprintable())
