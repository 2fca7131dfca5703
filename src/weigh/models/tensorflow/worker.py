"""A program of its own that runs TensorFlow for weigh: `python -P worker.py PARENT`. It imports nothing of weigh.

It answers requests on its standard input, one after the other, on its standard output: the length of a header (4 bytes), the header
(JSON), and as many bytes as `header["bytes"]` says. A request or an answer holds at most one array or one graph, as plain bytes. It ends
when its input ends, and when the process PARENT is gone. Its other side: `process.py`.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import struct
import sys
import threading
import time
from typing import Any

import numpy as np

MOST_VALUES = 1 << 28  # of one tensor for one picture: 1 GB
MEMORY = 0.75  # share of the machine's memory beyond which the graph is stopped rather than the machine


def main(parent: int) -> None:
    answers = os.dup(1)
    os.dup2(2, 1)  # what libraries print does not mix with the answers
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _limit_memory()
    requests, work = sys.stdin.buffer, None
    while (request := _receive(requests)) is not None:
        header, content = request
        try:
            if header["do"] == "load":
                work = Work(header, content)
                reply, payload = {"libraries": work.libraries}, b""
            else:
                assert work is not None, "nothing is loaded"
                reply, payload = getattr(work, header["do"])(header, content)
        except MemoryError as error:
            reply, payload = {"error": f"it needs more memory than there is. {error}"[:4000]}, b""
        except Exception as error:
            reply, payload = {"error": f"{type(error).__name__}: {error}"[:4000]}, b""
        _send(answers, reply, payload)


class Work:
    """A graph in a session of TensorFlow."""

    def __init__(self, header: dict[str, Any], content: bytes) -> None:
        import tensorflow as tf

        self.v1, self.tf = tf.compat.v1, tf
        self.v1.disable_eager_execution()
        definition = self.v1.GraphDef()
        definition.ParseFromString(content)
        self.graph = tf.Graph()
        with self.graph.as_default():
            tf.import_graph_def(definition, name="")
            for handle in [node for node in self.graph.get_operations() if node.type == "VarHandleOp"]:
                name = f"{handle.name}/Read/ReadVariableOp"  # where `freeze` reads the value
                if name not in self.graph._nodes_by_name:
                    tf.raw_ops.ReadVariableOp(resource=handle.outputs[0], dtype=handle.get_attr("dtype"), name=name)
        self._check_sizes()
        threads = {"intra_op_parallelism_threads": header["threads"], "inter_op_parallelism_threads": 1}
        self.session = self.v1.Session(graph=self.graph, config=self.v1.ConfigProto(**threads))
        if header["restore"]:
            self.session.run(
                self.graph.get_operation_by_name(header["restore"]), {header["filename"]: header["variables"]}
            )
        self.libraries = f"tensorflow {tf.__version__}"

    def _check_sizes(self) -> None:
        """What would fill the memory is refused where its size is known without computing: TensorFlow may wait for ever for such a tensor."""
        for node in self.graph.get_operations():
            for tensor in node.outputs:
                if tensor.shape.rank is not None:
                    sides = [1 if side is None else side for side in tensor.shape.as_list()]
                    if math.prod(sides) > MOST_VALUES:
                        raise MemoryError(f"{node.name} would have the shape {tuple(sides)}")

    def freeze(self, header: dict[str, Any], _content: bytes) -> tuple[dict[str, Any], bytes]:
        """The graph with its variables as constants and without calls of functions."""
        from tensorflow.python.framework import convert_to_constants  # pyright: ignore[reportAttributeAccessIssue]

        nodes = [name.partition(":")[0] for name in header["outputs"]]
        fixed = convert_to_constants.convert_variables_to_constants_from_session_graph(
            self.session, self.graph.as_graph_def(add_shapes=False), nodes
        )
        function = self.v1.wrap_function(lambda: self.v1.import_graph_def(fixed, name=""), [])
        pruned = function.prune(header["inputs"], header["outputs"])
        return {}, convert_to_constants.convert_variables_to_constants_v2(
            pruned
        ).graph.as_graph_def().SerializeToString()

    def run(self, header: dict[str, Any], content: bytes) -> tuple[dict[str, Any], bytes]:
        """One batch."""
        batch = np.frombuffer(content, header["dtype"]).reshape(header["shape"])
        before = time.process_time()
        values = np.ascontiguousarray(self.session.run(header["output"], {header["input"]: batch}), np.float32)
        spent = time.process_time() - before
        return {"shape": values.shape, "seconds": spent}, values.tobytes()

    def operations(self, header: dict[str, Any], _content: bytes) -> tuple[dict[str, Any], bytes]:
        """Multiply-accumulates of one picture: output sizes of convolutions and matrix products times the size of their weights."""
        names, shape = header["names"], header["shape"]
        outputs = {name: self.graph.get_tensor_by_name(f"{name}:0") for name in names}
        zeros = np.zeros(shape, header["dtype"])
        sizes = self.session.run({name: self.tf.size(one) for name, one in outputs.items()}, {header["input"]: zeros})
        return {"sizes": {name: int(size) for name, size in sizes.items()}}, b""


def _receive(pipe: Any) -> tuple[dict[str, Any], bytes] | None:
    start = pipe.read(4)
    if len(start) < 4:
        return None
    header = json.loads(pipe.read(struct.unpack("<I", start)[0]))
    content = pipe.read(header["bytes"])
    return None if len(content) < header["bytes"] else (header, content)


def _send(pipe: int, reply: dict[str, Any], payload: bytes) -> None:
    header = json.dumps({**reply, "bytes": len(payload)}).encode()
    for part in (struct.pack("<I", len(header)) + header, payload):
        rest = memoryview(part)
        while rest:
            rest = rest[os.write(pipe, rest) :]


def _end_with(parent: int) -> None:
    """End as soon as the process that started this one is gone, whatever is being computed."""
    while os.getppid() == parent or os.name == "nt":
        time.sleep(0.5)
    os._exit(1)


def _limit_memory() -> None:
    """A graph can ask for any amount: it gets an error instead of the machine's last byte."""
    with contextlib.suppress(ImportError, ValueError, OSError, AttributeError):
        import resource

        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        most = int(total * MEMORY)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


if __name__ == "__main__":
    main(int(sys.argv[1]))
