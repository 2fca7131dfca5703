"""TensorFlow's files without TensorFlow: what is found in them, and what is refused before TensorFlow is started."""

from __future__ import annotations

import subprocess
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from tests.models.stored_graphs import (
    FLOAT,
    called,
    constant,
    function,
    graph_bytes,
    node,
    number,
    placeholder,
    saved_model,
    string,
    tiny_nodes,
    typed,
    varint,
)  # fmt: skip
from weigh.errors import MissingExtra, ModelError
from weigh.models import tf
from weigh.models.address import parse_address
from weigh.models.pretrained import load_model
from weigh.models.protobuf import message_field
from weigh.models.tensorflow import process
from weigh.models.tensorflow.graph import constants, parse_graph, read_graph
from weigh.study import Study


@pytest.fixture(autouse=True)
def _never_started(monkeypatch):
    """TensorFlow counts as installed, and starting it is a failure."""
    monkeypatch.setattr(tf, "require_tensorflow", lambda: None)
    monkeypatch.setattr(process, "require_tensorflow", lambda: None)

    def started(*_arguments, **_options):
        raise AssertionError("TensorFlow was started")

    monkeypatch.setattr(subprocess, "Popen", started)


def frozen(folder: Path, *nodes: bytes, functions: tuple[bytes, ...] = ()) -> Path:
    path = folder / "graph.pb"
    path.write_bytes(graph_bytes(*nodes, functions=functions))
    return path


def load(path: Path, options: str = ""):
    return load_model(f"tf:{path}{options}", pretrained=True, offline=True)


# ---- what is found ----------------------------------------------------------------------------------------------------------


def test_input_values_features_and_head_are_found(tmp_path):
    model = load(frozen(tmp_path, *tiny_nodes()))
    assert model.ports == {"features"}
    assert (model.classes, model.preprocessing.size, model.preprocessing.std) == (5, 32, (1 / 255,) * 3)
    assert model.provenance.note == (
        "input pixels:0, 32 px, values 0..255 (the graph's first step); features vector; head logits, 5 outputs"
    )
    facts_without_running = model.anatomy.parameters(model.module)
    assert facts_without_running == 8 * 27 + 8 * 5 + 5


@pytest.mark.parametrize(
    ("scale", "values"),
    [
        ([], None),
        ([node("scaled", "Identity", "pixels")], None),
        ([constant("half", np.float32(127.5)), node("scaled", "Sub", "pixels", "half")], (1 / 255,) * 3),
        ([constant("c", np.float32(1 / 127.5)), node("scaled", "Mul", "pixels", "c")], (1 / 255,) * 3),
        ([constant("c", np.float32([0.48, 0.46, 0.41])), node("scaled", "Sub", "pixels", "c")], (1.0,) * 3),
        ([constant("c", np.float32(2)), node("scaled", "Mul", "pixels", "c")], (1.0,) * 3),
        ([constant("c", np.float32(2)), node("scaled", "Add", "pixels", "c")], None),
    ],
    ids=range(7),
)
def test_the_first_step_tells_the_values_or_the_user_is_asked(scale, values, tmp_path):
    rest = tiny_nodes()[3:]
    nodes = [placeholder("pixels", -1, 32, 32, 3), *(scale or [node("scaled", "Identity", "pixels")]), *rest]
    path = frozen(tmp_path, *nodes)
    if values is None:
        with pytest.raises(ModelError, match=r"@values=-1\.\.1"):
            load(path)
        assert load(path, "@values=-1..1").preprocessing.mean == (0.5,) * 3
    else:
        assert load(path).preprocessing.std == values


def test_the_scope_of_tf_slim_tells_the_values(tmp_path):
    nodes = [placeholder("pixels", -1, 32, 32, 3), node("scaled", "Identity", "pixels"), *tiny_nodes()[3:]]
    model = load(frozen(tmp_path, *nodes, node("MobilenetV1/Predictions", "Identity", "probabilities")))
    assert model.preprocessing.mean == (0.5,) * 3
    assert "TF-Slim's MobilenetV1" in model.provenance.note


@pytest.mark.parametrize(
    ("options", "asked"),
    [("@features=vectr", "vector"), ("@head=logit", "logits"), ("@input=pixel", "pixels"), ("@size=64", "32 × 32"), ("@values=0", "Known"),
     ("@size=x", "x")],
)  # fmt: skip
def test_a_wrong_option_says_what_would_be_right(options, asked, tmp_path):
    with pytest.raises(ModelError) as refused:
        load(frozen(tmp_path, *tiny_nodes()), options)
    assert asked in refused.value.render("en")
    assert asked in refused.value.render("zh") or asked == "Known"


def test_pictures_may_enter_behind_a_decoder(tmp_path):
    nodes = [placeholder("file", kind=7), node("decoded", "DecodeJpeg", "file"), *tiny_nodes()]
    nodes = [node("pixels", "Cast", "decoded", T=typed(FLOAT), DstT=typed(FLOAT)) if b"\x0a\x06pixels\x12\x0bPlaceholder" in one else one
             for one in nodes]  # fmt: skip
    path = frozen(tmp_path, *nodes)
    with pytest.raises(ModelError, match=r"DecodeJpeg[\s\S]*@input=TENSOR"):
        load(path)
    with pytest.raises(ModelError, match="@size=224"):
        load(path, "@input=pixels")
    assert load(path, "@input=pixels@size=32").preprocessing.size == 32


def test_a_second_input_is_named(tmp_path):
    nodes = [*tiny_nodes(), placeholder("keep_prob"), node("dropped", "Mul", "probabilities", "keep_prob")]
    with pytest.raises(ModelError, match="keep_prob"):
        load(frozen(tmp_path, *nodes), "@features=dropped")


@pytest.mark.parametrize(
    "written",
    [
        constant("c", np.arange(6, dtype=np.float32).reshape(2, 3)),
        node("c", "Const", dtype=typed(1), value=message_field(8, number(1, 1) + message_field(2, b"\x12\x02\x08\x02\x12\x02\x08\x03")
             + message_field(5, np.arange(6, dtype=np.float32).tobytes()))),
    ],
    ids=["content", "values"],
)  # fmt: skip
def test_constants_are_read_in_both_spellings(written):
    graph = parse_graph(graph_bytes(written, node("r", "Identity", "c")))
    np.testing.assert_array_equal(constants(graph)("r"), np.arange(6).reshape(2, 3))


def test_one_value_stands_for_all():
    graph = parse_graph(graph_bytes(constant("c", np.float32([3]), sides=(2, 2))))
    np.testing.assert_array_equal(graph.nodes["c"].constant(), np.full((2, 2), 3))


# ---- what is refused -----------------------------------------------------------------------------------------------------------

EVIL = {
    "writes a file": [node("evil", "WriteFile", "vector")],
    "reads a file": [node("evil", "ReadFile", "vector")],
    "calls Python": [node("evil", "PyFunc", "vector")],
    "calls Python 2": [node("evil", "EagerPyFunc", "vector")],
    "restores": [node("evil", "RestoreV2", "vector")],
    "prints": [node("evil", "PrintV2", "vector")],
    "waits": [node("evil", "QueueDequeueV2", "vector")],
    "loops": [node("evil", "StatelessWhile", "vector", body=called("loop"))],
    "random": [node("evil", "RandomUniform", "vector")],
    "unknown": [node("evil", "SomebodysOwnOp", "vector")],
    "a variable": [node("evil", "VarHandleOp")],
    "in a function": [node("evil", "StatefulPartitionedCall", "vector", f=called("inner"))],
    "in a branch": [node("evil", "If", "vector", then_branch=called("inner"), else_branch=called("inner"))],
    "by its name": [node("evil", "inner", "vector")],
}
INNER = function("inner", node("deep", "WriteFile", "x"))


@pytest.mark.parametrize("kind", EVIL)
@pytest.mark.parametrize("control", [False, True], ids=["data", "control"])
@pytest.mark.parametrize("saved", [False, True], ids=["graph", "SavedModel"])
def test_what_does_more_than_compute_is_refused_by_name(kind, control, saved, tmp_path):
    nodes = [*tiny_nodes(), *EVIL[kind], node("answer", "Identity", *(["vector", "^evil"] if control else ["evil"]))]
    path = frozen(tmp_path, *nodes, functions=(INNER,))
    if saved:
        path = saved_model(tmp_path / "saved", path.read_bytes(), output="answer:0")
    with pytest.raises(ModelError) as refused:
        load(path, "@features=answer")
    operation = b"WriteFile" if "inner" in str(EVIL[kind]) else EVIL[kind][0].split(b"\x12", 1)[1][1:]
    named = operation.decode("latin1").split("\x1a")[0].split("*")[0]
    assert named in refused.value.render("en") or "variable" in refused.value.render("en")
    assert refused.value.render("zh")


def test_what_is_not_needed_is_left_in_the_file(tmp_path):
    nodes = [*tiny_nodes(), node("evil", "WriteFile", "vector")]
    model = load(frozen(tmp_path, *nodes))
    assert model.classes == 5


@pytest.mark.parametrize(
    "functions",
    [
        (function("a", node("n", "PartitionedCall", f=called("a"))),),
        (
            function("a", node("n", "PartitionedCall", f=called("b"))),
            function("b", node("n", "PartitionedCall", f=called("a"))),
        ),
        (function("a", node("n", "PartitionedCall", f=called("nowhere"))),),
        (
            *(
                function("a" * i, *(node(n, "PartitionedCall", f=called("a" * (i + 1))) for n in "xy"))
                for i in range(1, 30)
            ),
            function("a" * 30, node("n", "Relu", "x")),
        ),
    ],
    ids=["itself", "each other", "missing", "a thousand million laughs"],
)
def test_functions_that_never_end_are_refused(functions, tmp_path):
    nodes = [*tiny_nodes(), node("call", "PartitionedCall", "vector", f=called("a"))]
    with pytest.raises(ModelError, match=r"calls itself|no function nowhere|written out"):
        load(frozen(tmp_path, *nodes, functions=functions), "@features=call")


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (
            [constant("bomb", np.float32([1]), sides=(1 << 20, 1 << 20)), node("answer", "Add", "vector", "bomb")],
            "1048576",
        ),
        ([constant("bomb", np.float32([1]), sides=(-3,)), node("answer", "Add", "vector", "bomb")], "-3"),
        ([node("answer", "Add", "vector", "nowhere")], "no node nowhere"),
        ([node("answer", "Add", "vector", "answer")], "needs itself"),
        ([node("answer", "Add", "vector", "second"), node("second", "Relu", "answer")], "needs itself"),
        ([node("vector", "Relu", "active")], "one name"),
    ],
    ids=["a bomb", "a negative side", "a missing node", "a circle", "two in a circle", "two of one name"],
)
def test_graphs_that_cannot_be_are_refused(extra, said, tmp_path):
    path = frozen(tmp_path, *tiny_nodes(), *extra)
    tracemalloc.start()
    with pytest.raises(ModelError, match="cannot be read as a graph of TensorFlow") as refused:
        load(path, "@features=answer")
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()
    assert said in refused.value.render("en")


@pytest.mark.parametrize(
    "content",
    [b"", b"hello world, this is no graph", b"PK\x03\x04" + b"\0" * 50, b"\x80\x02}q\x00.", varint(1 << 3 | 2) + varint(1 << 50),
     message_field(1, b"\xff\xff\xff"), b"\x89HDF\r\n\x1a\n" + b"\0" * 100],
    ids=["empty", "text", "zip", "pickle", "a huge length", "a broken node", "h5"],
)  # fmt: skip
def test_other_files_are_refused(content, tmp_path):
    (tmp_path / "x.pb").write_bytes(content)
    with pytest.raises(ModelError, match="cannot be read as a graph of TensorFlow"):
        load(tmp_path / "x.pb")


def test_a_truncated_graph_is_refused(tmp_path):
    content = graph_bytes(*tiny_nodes())
    for cut in range(0, len(content) - 1, 61):
        (tmp_path / "x.pb").write_bytes(content[:cut])
        with pytest.raises(ModelError):
            load(tmp_path / "x.pb")


@pytest.mark.parametrize("made", ["nothing", "empty folder", "empty file", "truncated", "no signature"])
def test_folders_that_are_no_saved_model_are_refused(made, tmp_path):
    folder = tmp_path / "model"
    if made in ("truncated", "no signature"):
        saved_model(folder, graph_bytes(*tiny_nodes()), output="logits:0")
        content = (folder / "saved_model.pb").read_bytes()
        (folder / "saved_model.pb").write_bytes(
            content[:-40]
            if made == "truncated"
            else content.replace(b"serving_default", b"\0" * 15).replace(b"logits:0", b"\0" * 8)
        )
    elif made != "nothing":
        folder.mkdir()
        if made == "empty file":
            (folder / "saved_model.pb").write_bytes(b"")
    with pytest.raises(ModelError) as refused:
        load(folder)
    assert str(folder) in refused.value.render("zh")


def test_a_pipe_is_not_waited_for(tmp_path):
    import os

    os.mkfifo(tmp_path / "x.pb")
    with pytest.raises(ModelError, match="no file"):
        read_graph(tmp_path / "x.pb")


def test_without_tensorflow_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(process, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtra, match=r"weigh\[tensorflow\]"):
        load(frozen(tmp_path, *tiny_nodes()))


@pytest.mark.parametrize("recipe", ["finetune", "last-stage"])
def test_training_is_refused_before_tensorflow_is_started(recipe, photos, tmp_path):
    path = frozen(tmp_path, *tiny_nodes(size=48))
    study = Study.from_data(photos, [f"tf:{path}"], [recipe], settings=["run.offline=true"], folder=tmp_path / "study")
    with pytest.raises(ModelError, match="no weights that can be trained") as refused:
        study.plan()
    for language in ("en", "zh"):
        said = refused.value.render(language)
        assert "probe" in said
        assert "keras:PATH.keras" in said
        assert "@timm:mobilenetv1_100" in said


# ---- addresses -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "path", "stated", "architecture"),
    [
        ("tf:a/b.pb", "a/b.pb", {}, "tf:a/b.pb"),
        ("tf:/models/folder/", "/models/folder/", {}, "tf:/models/folder/"),
        ("tf:a@b.pb@size=64@features=x/y:0", "a@b.pb", {"size": "64", "features": "x/y:0"}, None),
        ("onnx:m.onnx@values=-1..1", "m.onnx", {"values": "-1..1"}, None),
        ("onnx:a=b@c.onnx", "a=b@c.onnx", {}, None),
        ("tf:m.pb@timm:mobilenetv1_100", "m.pb", {}, "tf:@timm:mobilenetv1_100"),
        ("tf:a@b.pb@timm:mobilenetv1_100", "a@b.pb", {}, "tf:@timm:mobilenetv1_100"),
        ("tf:@timm:mobilenetv1_100", "", {}, "tf:@timm:mobilenetv1_100"),
    ],
)
def test_addresses(written, path, stated, architecture):
    address = parse_address(written)
    assert (address.path, dict(address.options)) == (path, stated)
    assert address.architecture == (architecture or written)


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("tf:", "tf:PATH"),
        ("onnx:@size=3", "onnx:PATH"),
        ("tf:m.pb@sise=3", "@size=3"),
        ("onnx:m.onnx@size=3@size=4", "may stand once"),
        ("onnx:m.onnx@timm:resnet18", "tf:m.onnx@timm:NAME"),
        ("tf:m.pb@torchvision:resnet18", "timm:NAME"),
        ("tf:m.pb@size=3@timm:resnet18", "timm:NAME"),
    ],
)
def test_addresses_that_cannot_be_say_what_can(written, hint):
    with pytest.raises(ModelError) as refused:
        parse_address(written)
    assert hint in refused.value.render("en")


def test_strings_among_constants_are_no_obstacle(tmp_path):
    words = node(
        "words", "Const", dtype=typed(7), value=message_field(8, number(1, 7) + message_field(8, b"broken shape"))
    )
    nodes = [
        *tiny_nodes(),
        words,
        node("check", "NoOp", "^words"),
        node("answer", "Identity", "vector", "^check", s=string("x")),
    ]
    assert load(frozen(tmp_path, *nodes), "@features=answer").ports == {"features"}
