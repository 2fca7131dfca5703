"""Others' detections through the front door: intervals, comparison, mistakes in words; no pictures and no torch are needed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.journeys.test_journey import weigh
from weigh.data.boxes.gold import holds_boxes
from weigh.reading import read_predictions

CLASSES = {3: "cell", 7: "rod", 40: "speck"}
PICTURES = 48


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A gold file of pictures that are nowhere; a good model, one that misplaces and invents more, and a copy of the good one."""
    root = tmp_path_factory.mktemp("others")
    rng = np.random.default_rng(5)
    annotations, found = [], {"good": [], "worse": []}
    for i in range(PICTURES):
        for _ in range(int(rng.integers(1, 6))):
            category = int(rng.choice(list(CLASSES), p=[0.55, 0.4, 0.05]))
            w, h = rng.uniform(15, 120, 2)
            x, y = rng.uniform(0, 320 - w), rng.uniform(0, 240 - h)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": 11 * i,
                    "category_id": category,
                    "bbox": [x, y, w, h],
                    "area": w * h,
                    "iscrowd": 0,
                }
            )
            for name, share, noise in (("good", 0.9, 0.04), ("worse", 0.7, 0.12)):
                if rng.random() < share:
                    box = (np.array([x, y, w, h]) + noise * rng.normal(size=4) * [w, h, w, h]).round(2)
                    found[name].append(_found(i, category, box, rng.uniform(0.3, 1)))
        for name, more in (("good", 1), ("worse", 3)):
            for _ in range(more):
                box = [*rng.uniform(0, 100, 2).round(2), *rng.uniform(15, 100, 2).round(2)]
                found[name].append(_found(i, int(rng.choice(list(CLASSES))), box, rng.uniform(0.01, 0.6)))
    gold = {
        "images": [{"id": 11 * i, "file_name": f"p/{i}.jpg", "width": 320, "height": 240} for i in range(PICTURES)],
        "categories": [{"id": key, "name": name} for key, name in CLASSES.items()], "annotations": annotations,
    }  # fmt: skip
    (root / "instances.json").write_text(json.dumps(gold), "utf-8")
    for name, rows in {**found, "copy": found["good"]}.items():
        (root / f"{name}.json").write_text(json.dumps(rows), "utf-8")
    return root


def _found(i, category, box, score):
    return {"image_id": 11 * i, "category_id": category, "bbox": list(map(float, box)), "score": float(score)}


def by_id(findings):
    return {finding.id: finding for finding in findings}


def test_two_detectors_are_compared_with_an_interval(folder):
    reading = read_predictions(folder / "good.json", folder / "worse.json", gold=folder / "instances.json")
    findings = by_id(reading.findings())
    assert not [f.sentence.en for f in findings.values() if f.kind == "internal"]
    assert reading.results.winner == "good"
    (pair,) = [f for f in findings.values() if f.kind == "comparison" and f.relation]
    assert (pair.relation, pair.claim) == ("better", "these_models")
    for format, language in (("html", "en"), ("html", "zh"), ("md", "en"), ("json", "en")):
        page = reading.report(format, language)
        assert "good" in page
        assert "Traceback" not in page
    assert "good 0." in findings["data:told-from"].sentence.en
    judged = findings["performance:judged"].sentence
    assert "fold" not in judged.en  # there are none
    assert "折" not in judged.zh
    assert not any("every model gets wrong" in one.en for one in findings["errors:hardest"].next)


def test_the_score_is_that_of_pycocotools(folder):
    coco, evaluation = pytest.importorskip("pycocotools.coco"), pytest.importorskip("pycocotools.cocoeval")
    reading = read_predictions(folder / "good.json", gold=folder / "instances.json")
    told = by_id(reading.findings())["verdict"].estimates["score"].value
    gold = coco.COCO(str(folder / "instances.json"))
    judge = evaluation.COCOeval(gold, gold.loadRes(str(folder / "good.json")), "bbox")
    judge.params.catIds = [3, 7]  # specks are in too few pictures
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    assert told == pytest.approx(judge.stats[0], abs=1e-9)


def test_a_copy_is_named_and_equal(folder):
    reading = read_predictions(folder / "good.json", folder / "copy.json", gold=folder / "instances.json")
    assert "good = copy" in by_id(reading.findings())["data:copied-model"].sentence.en
    assert not [f for f in reading.findings() if f.relation in ("better", "worse")]


def test_what_predict_writes_is_read(folder, tmp_path):
    """Names of pictures and classes stand beside ids that are numbered otherwise."""
    rows = json.loads((folder / "good.json").read_text("utf-8"))
    for row in rows:
        row["file_name"], row["category"] = f"p/{row['image_id'] // 11}.jpg", CLASSES[row["category_id"]]
        row["image_id"], row["category_id"] = row["image_id"] // 11 + 1, list(CLASSES).index(row["category_id"]) + 1
    (tmp_path / "named.json").write_text(json.dumps(rows), "utf-8")
    scores = [
        by_id(read_predictions(file, gold=folder / "instances.json").findings())["verdict"].estimates["score"]
        for file in (folder / "good.json", tmp_path / "named.json")
    ]
    assert scores[0] == scores[1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["instances.json", "--gold", "instances.json"], "no file of detections beside the gold file"),
        (["good.json", "good.json", "--gold", "instances.json"], "Two files are called"),
        (["none.json", "--gold", "instances.json"], "none.json"),
        (["good.json", "--gold", "none.json"], "none.json"),
        (["good.json", "--gold", "worse.json"], "no COCO file"),
        (["instances.json", "--gold", "good.json"], "no COCO file"),
        (["good.json"], "--gold"),
        (["good.json", "--gold", "instances.json", "--labels", "x.npy"], "--gold and --labels"),
        (["good.json", "--gold", "instances.json", "--set", "metrics.primary=accuracy"], "accuracy"),
        (["swapped.json", "--gold", "instances.json"], "two corners"),
        (["centres.json", "--gold", "instances.json"], "bbox looks like centre, width and height"),
        (["turned.json", "--gold", "instances.json"], "bbox looks like y before x"),
        (["rows.csv", "--gold", "instances.json"], "rows.csv is no .json file"),
    ],
)
def test_mistakes_are_said(folder, tmp_path, monkeypatch, capsys, arguments, told):
    for file in folder.glob("*.json"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    rows = json.loads((folder / "good.json").read_text("utf-8"))
    swapped = [{**r, "bbox": [*r["bbox"][:2], r["bbox"][0] + r["bbox"][2], r["bbox"][1] + r["bbox"][3]]} for r in rows]
    (tmp_path / "swapped.json").write_text(json.dumps(swapped), "utf-8")
    centres = [{**r, "bbox": [x + w / 2, y + h / 2, w, h]} for r in rows for x, y, w, h in [r["bbox"]]]
    turned = [{**r, "bbox": [y, x, h, w]} for r in rows for x, y, w, h in [r["bbox"]]]
    for name, other in (("centres", centres), ("turned", turned)):
        (tmp_path / f"{name}.json").write_text(json.dumps(other), "utf-8")
    (tmp_path / "rows.csv").write_text("file_name,category,x,y,width,height,score\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    code, _, err = weigh(capsys, "read", *arguments, "--format", "md")
    assert code == 2, err
    assert told in err
    assert "Traceback" not in err


def test_a_gold_in_another_layout_is_read(tmp_path):
    """Detections are matched by the names of pictures and classes."""
    from tests.data.boxes.box_files import NAMES, TRUTH, write_yolo

    write_yolo(tmp_path / "gold")
    rows = [
        {"image_id": name, "category": c, "bbox": [x, y, right - x, bottom - y], "score": 0.9}
        for name, boxes in TRUTH.items()
        for c, x, y, right, bottom in boxes
    ]
    (tmp_path / "mine.json").write_text(json.dumps(rows), "utf-8")
    results = read_predictions(tmp_path / "mine.json", gold=tmp_path / "gold").results
    assert set(results.examples.classes) == set(NAMES)
    found = results.out_of_fold("mine").prediction(0)
    assert results.examples.kind.distances(found.labels, results.examples.target).tolist() == [0.0] * len(TRUTH)


@pytest.mark.parametrize(
    ("name", "content", "boxes"),
    [
        ("g.csv", "path,label,xmin,ymin,xmax,ymax\na.jpg,cat,1,2,30,40\n", True),
        ("g.csv", "tokens,tags\n\"['a', 'b']\",\"['O', 'B-PER']\"\n", False),
        ("g.tsv", "anna\tB-PER\nsaw\tO\n", False),
        ("g.jsonl", '{"tokens": ["a"], "tags": ["O"]}\n', False),
        ("g.conll", "anna B-PER\nsaw O\n", False),
        ("g.json", '[{"tokens": ["a"], "tags": ["O"]}]', False),
        ("g.json", '{"images": [], "annotations": [], "categories": []}', True),
        ("data.yaml", "names: [cat]\ntrain: images\n", True),
        ("none.csv", None, False),
    ],
)
def test_what_a_gold_file_holds_is_told_from_it(tmp_path, name, content, boxes):
    if content is not None:
        (tmp_path / name).write_text(content, "utf-8")
    assert holds_boxes(tmp_path / name) is boxes


def test_a_folder_of_files_is_several_models(folder, tmp_path):
    for name in ("good", "worse"):
        (tmp_path / f"{name}_results.json").write_bytes((folder / f"{name}.json").read_bytes())
    reading = read_predictions(tmp_path, gold=folder / "instances.json")
    assert [c.id for c in reading.results.candidates] == ["good", "worse"]


def test_of_no_detections_no_training_is_advised(folder, tmp_path):
    (tmp_path / "nothing.json").write_text("[]", "utf-8")
    verdict = by_id(read_predictions(tmp_path / "nothing.json", gold=folder / "instances.json").findings())["verdict"]
    assert verdict.sentence.en.startswith("Nothing was learnt")
    assert "finetune" not in " ".join(one.en for one in verdict.next)
    assert "Check that the predictions belong to these examples" in verdict.next[0].en


@pytest.mark.parametrize("drawn", [True, False])
def test_where_no_class_can_be_judged_that_is_the_reason(folder, tmp_path, drawn):
    gold = json.loads((folder / "instances.json").read_text("utf-8"))
    gold["images"] = gold["images"][:6]
    gold["annotations"] = [one for one in gold["annotations"] if drawn and one["image_id"] < 66]
    (tmp_path / "gold.json").write_text(json.dumps(gold), "utf-8")
    verdict = by_id(read_predictions(folder / "good.json", gold=tmp_path / "gold.json").findings())["verdict"]
    assert "speaks of no class, as none stands in 8 pictures or more" in verdict.sentence.en
    assert "见于至少 8 张图片" in verdict.sentence.zh
    assert ("metrics.primary=box_f1" in verdict.next[0].en) == drawn
    if drawn:  # the advice works
        again = read_predictions(folder / "good.json", gold=tmp_path / "gold.json", settings=["metrics.primary=box_f1"])
        assert "its F1 of boxes" in by_id(again.findings())["verdict"].sentence.en


def test_where_classes_have_no_boxes_of_a_size_the_metric_is_not_defined(folder, tmp_path):
    gold = json.loads((folder / "instances.json").read_text("utf-8"))
    gold["annotations"] = [{**one, "area": 5000} for one in gold["annotations"]]
    (tmp_path / "gold.json").write_text(json.dumps(gold), "utf-8")
    settings = ["metrics.primary=map_small"]
    reading = read_predictions(folder / "good.json", gold=tmp_path / "gold.json", settings=settings)
    sentence = by_id(reading.findings())["verdict"].sentence
    assert "mAP of small boxes (below 32² pixels) is not defined on these examples" in sentence.en
    assert "没有定义" in sentence.zh


def test_where_sizes_are_not_known_nothing_is_said_of_edges(folder, tmp_path):
    gold = json.loads((folder / "instances.json").read_text("utf-8"))
    gold["images"] = [{key: one[key] for key in ("id", "file_name")} for one in gold["images"]]
    (tmp_path / "gold.json").write_text(json.dumps(gold), "utf-8")
    findings = by_id(read_predictions(folder / "good.json", gold=tmp_path / "gold.json").findings())
    assert "errors:edges" not in findings
    assert "does not state the size of 48 of 48 pictures" in findings["data:unknown-size"].sentence.en
    assert "errors:edges" in by_id(read_predictions(folder / "good.json", gold=folder / "instances.json").findings())
