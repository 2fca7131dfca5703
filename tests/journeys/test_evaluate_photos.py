"""`weigh evaluate` on real photos with weights that come inside packages: the counts that these models are known to have, in one pass, compared in pairs."""

from __future__ import annotations

import csv
import json

import pytest

from weigh.cli.main import main
from weigh.models.catalogue import find_packaged

MODELS = ("timm:tf_efficientnet_lite2", "timm:tf_efficientnet_lite0", "torchvision:mobilenet_v2")
RIGHT = {
    3: (46, 43, 39),
    2: (71, 70, 63),
}  # of every third, and of every second picture; of all 150: 135, 132 and 122 (.900, .880, .813)
ROUNDING = 1  # pictures that another version of a library, or other instructions, may turn over


@pytest.mark.shared
@pytest.mark.weights
@pytest.mark.parametrize("step", [3, pytest.param(2, marks=pytest.mark.thorough)])
def test_known_counts_in_one_pass(shared, tmp_path, capsys, step):
    folder = shared / "imagenet" / "nips150"
    if not folder.is_dir():
        pytest.skip("imagenet/nips150 is not among the real data")
    for address in MODELS:
        if find_packaged(address).locate() is None:
            pytest.skip(f"{find_packaged(address).package} is not installed")
    with (folder / "dev_dataset.csv").open(encoding="utf-8") as file:
        numbers = {row["ImageId"]: int(row["TrueLabel"]) - 1 for row in csv.DictReader(file)}
    photos = sorted((folder / "images").iterdir())[::step]
    lines = ["path,label", *(f"{photo.name},{numbers[photo.stem]}" for photo in photos)]
    (tmp_path / "labels.csv").write_text("\n".join(lines), encoding="utf-8")

    more = ["--set", f"data.root={folder / 'images'}", "--set", "run.threads=1", "--set", "run.precision=fp32"]
    options = ["--models", ",".join(MODELS), "--offline", "--quiet", "--format", "json", *more]
    assert main(["evaluate", str(tmp_path / "labels.csv"), *options]) == 0

    document = json.loads(capsys.readouterr().out)
    assert document["n"] == len(photos) == 150 // step
    assert not document["validation_pictures"]
    for row, known in zip(document["models"], RIGHT[step], strict=True):
        right = round(row["top1"]["value"] * row["n"])
        assert abs(right - known) <= ROUNDING
        assert row["top1"]["low"] < row["top1"]["value"] < row["top5"]["value"]
        assert row["hint"] is None
        assert (
            "These are other pictures or labels." in row["remarks"][0]["en"]
        )  # far above what is published, and no reason for suspicion
    relations = {row["relation"] for row in document["comparisons"] if row["relation"]}
    assert relations <= {"better", "undecided", "equal"}
    (best,) = [row for row in document["models"] if row["model"] == "timm:tf_efficientnet_lite2"]
    assert best["top1"]["value"] == max(row["top1"]["value"] for row in document["models"])
