"""Hostile and broken ONNX files: refused in words before anything of them is run or any other file is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.models.stored_graphs import onnx_classifier
from weigh.errors import ModelError
from weigh.models.pretrained import load_model

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402


def load(path: Path):
    return load_model(f"onnx:{path}", pretrained=True, offline=True)


def rewritten(path: Path, change) -> Path:
    model = onnx.load_model(str(path), load_external_data=False)
    change(model)
    path.write_bytes(model.SerializeToString())
    return path


def custom_domain(model):
    model.graph.node[-1].domain = "com.evil"


def hidden_in_a_branch(model):
    inner = helper.make_graph(
        [helper.make_node("Steal", [], ["out"], domain="com.evil")],
        "b",
        [],
        [helper.make_tensor_value_info("out", 1, None)],
    )
    model.graph.node.append(helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner))


def hidden_in_a_function(model):
    model.functions.append(
        helper.make_function("mine", "F", ["a"], ["b"], [helper.make_node("Steal", ["a"], ["b"], domain="com.evil")],
                             [helper.make_opsetid("", 17)])
    )  # fmt: skip
    model.graph.node.append(helper.make_node("F", ["logits"], ["z"], domain="mine"))


def functions(model, calls: dict[str, list[str]]):
    for name, others in calls.items():
        nodes = [helper.make_node(other, ["a"], [f"b{i}"], domain="mine") for i, other in enumerate(others)]
        nodes.append(helper.make_node("Relu", ["a"], ["b"]))
        sets = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
        model.functions.append(helper.make_function("mine", name, ["a"], ["b"], nodes, sets))
    model.opset_import.append(helper.make_opsetid("mine", 1))
    model.graph.node.append(helper.make_node(next(iter(calls)), ["logits"], ["z"], domain="mine"))


def calls_itself(model):
    functions(model, {"F": ["F"]})


def call_each_other(model):
    functions(model, {"F": ["G"], "G": ["F"]})


def laughs(model):
    functions(model, {**{f"F{i}": [f"F{i + 1}"] * 2 for i in range(30)}, "F30": []})


def endless(model):
    body = helper.make_graph([helper.make_node("Identity", ["c"], ["d"])], "b", [helper.make_tensor_value_info("c", 9, [])],
                             [helper.make_tensor_value_info("d", 9, [])])  # fmt: skip
    model.graph.node.append(helper.make_node("Loop", ["", "k"], ["z"], body=body))


def huge(model):
    model.graph.initializer.append(numpy_helper.from_array(np.array([1 << 20, 1 << 20]), "sides"))
    model.graph.node.append(helper.make_node("ConstantOfShape", ["sides"], ["wall"]))
    model.graph.node.append(helper.make_node("ReduceSum", ["wall"], ["sum"], keepdims=0))
    model.graph.node.append(helper.make_node("Add", ["vector", "sum"], ["more"]))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("more", 1, None))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (custom_domain, "com.evil"),
        (hidden_in_a_branch, "com.evil.Steal"),
        (hidden_in_a_function, "com.evil.Steal"),
        (endless, "Loop"),
        (calls_itself, "mine.F calls itself"),
        (call_each_other, "calls itself"),
        (laughs, "written out"),
        (huge, "1048576"),
        (lambda m: m.graph.initializer[0].dims.__setitem__(0, -5), "-5"),
        (lambda m: m.graph.input[0].type.tensor_type.shape.dim[2].__setattr__("dim_value", 31), "squares"),
        (lambda m: m.graph.input[0].type.tensor_type.shape.dim[1].__setattr__("dim_value", 4), "4"),
        (lambda m: m.graph.ClearField("node"), "no operations"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_hostile_graph_is_refused_and_named(change, named, tmp_path):
    path = rewritten(onnx_classifier(tmp_path / "m.onnx"), change)
    with pytest.raises(ModelError) as refused:
        load(path)
    assert named in refused.value.render("en")
    assert refused.value.render("zh")


@pytest.mark.parametrize(
    "location",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "..\\..\\secret",
        "C:\\secret",
        "a/../../b",
        "\\\\server\\share",
        "weights\0.bin",
        "",
    ],
)
def test_weights_outside_the_folder_are_not_read(location, tmp_path):
    path = rewritten(
        onnx_classifier(tmp_path / "in" / "m.onnx", outside="w.bin"),
        lambda model: model.graph.initializer[0].external_data[0].__setattr__("value", location),
    )
    with pytest.raises(ModelError, match="outside its folder"):
        load(path)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    path = onnx_classifier(tmp_path / "in" / "m.onnx", outside="w.bin")
    (tmp_path / "in" / "w.bin").rename(tmp_path / "w.bin")
    (tmp_path / "in" / "w.bin").symlink_to(tmp_path / "w.bin")
    with pytest.raises(ModelError, match="outside its folder"):
        load(path)


@pytest.mark.parametrize(
    ("key", "value"), [("length", "99999999"), ("offset", "99999999"), ("offset", "-4"), ("length", "x")]
)
def test_weights_that_are_cut_off_are_named(key, value, tmp_path):
    path = onnx_classifier(tmp_path / "m.onnx", outside="w.bin")
    rewritten(path, lambda model: model.graph.initializer[0].external_data.add(key=key, value=value))
    with pytest.raises(ModelError, match=r"w\.bin is shorter"):
        load(path)


def test_weights_that_are_missing_are_named(tmp_path):
    path = onnx_classifier(tmp_path / "m.onnx", outside="w.bin")
    (tmp_path / "w.bin").unlink()
    with pytest.raises(ModelError, match=r"w\.bin, which is not there"):
        load(path)


@pytest.mark.parametrize(
    "content", [b"", b"not a model", b"PK\x03\x04", b"\x80\x02}q\x00.", b"\xff" * 1000, b"\x0a\xff\xff\xff\xff\x0f"]
)
def test_other_files_are_told_apart(content, tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="cannot be read as ONNX"):
        load(path)


def test_a_truncated_file_never_gives_features(tmp_path):
    path = onnx_classifier(tmp_path / "m.onnx")
    content = path.read_bytes()
    for cut in range(0, len(content) - 1, 97):
        path.write_bytes(content[:cut])
        with pytest.raises(ModelError):
            load(path).width()


def test_models_of_texts_are_refused(tmp_path):
    graph = helper.make_graph(
        [helper.make_node("Cast", ["input_ids"], ["floats"], to=1), helper.make_node("MatMul", ["floats", "w"], ["logits"])], "t",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["n", 8])],
        [helper.make_tensor_value_info("logits", 1, None)], [numpy_helper.from_array(np.ones((8, 2), np.float32), "w")],
    )  # fmt: skip
    (tmp_path / "t.onnx").write_bytes(helper.make_model(graph).SerializeToString())
    with pytest.raises(ModelError, match=r"hf:\./FOLDER") as refused:
        load(tmp_path / "t.onnx")
    assert "input_ids" in refused.value.render("zh")


@pytest.mark.parametrize(
    "fields",
    ['{"size": 1e9}', "[]", "{", '{"size": 32, "resize": 36, "mean": [0, 0], "std": [1, 1, 1]}',
     '{"size": 32, "resize": 36, "mean": [0, 0, 0], "std": [0, 0, 0]}',
     '{"size": 99999999, "resize": 99999999, "mean": [0, 0, 0], "std": [1, 1, 1]}', "[" * 5000],
)  # fmt: skip
def test_a_strange_preparation_is_not_believed(fields, tmp_path):
    path = onnx_classifier(tmp_path / "m.onnx", divide=False, metadata={"preprocessing": fields})
    with pytest.raises(ModelError, match="does not say how the values"):
        load(path)
