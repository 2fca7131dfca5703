"""What is published about pretrained models, as one table: `python -m benchmarks.catalogue CHECKOUT` writes src/weigh/models/published.csv.

CHECKOUT is a git directory of huggingface/pytorch-image-models (Apache-2.0): accuracies stand in results/results-imagenet.csv, operations in
results/benchmark-infer-*.csv. The rest is asked of the installed timm and torchvision. Encoders of texts are written down here by hand:
parameters, licences and languages as they are commonly stated. Scores have those that stand in `choosing/mteb.csv` (MTEB's results, CC0-1.0):
the mean accuracy over its twelve English classifications.
"""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from itertools import groupby
from pathlib import Path

from benchmarks.choosing.mteb import read_encoders
from weigh.models.published import spdx

TABLE = Path(__file__).parents[1] / "src" / "weigh" / "models" / "published.csv"
FIELDS = (
    "address", "reads", "default", "parameters", "pixels", "gmacs", "score", "top5", "metric", "licence", "pretraining", "language", "source",
    "file",
)  # fmt: skip
DATA = {  # parts of timm's tags -> data sets, in the order in which they are named
    "in1k": "ImageNet-1k", "in12k": "ImageNet-12k", "in21k": "ImageNet-21k", "in22k": "ImageNet-22k", "jft": "JFT-300M", "ig1b": "Instagram-1B",
    "yfcc100m": "YFCC-100M", "laion2b": "LAION-2B", "laiona": "LAION-A", "laion400m": "LAION-400M", "openai": "OpenAI WIT", "swag": "Instagram-3.6B",
    "lvd142m": "LVD-142M", "lvd1689m": "LVD-1689M", "webli": "WebLI", "dfn2b": "DFN-2B", "dfn5b": "DFN-5B", "datacompxl": "DataComp-1B",
    "metaclip": "MetaCLIP", "m38m": "Merged-38M", "m30m": "Merged-30M", "merged2b": "Merged-2B", "inat21": "iNaturalist-2021", "sat493m": "SAT-493M",
    "dino": "ImageNet-1k", "mae": "ImageNet-1k", "sa1b": "SA-1B", "cc12m": "CC-12M",
}  # fmt: skip
TEXTS = """\
google-bert/bert-base-uncased,109.5,Apache-2.0,BooksCorpus + Wikipedia,en
google-bert/bert-base-cased,108.3,Apache-2.0,BooksCorpus + Wikipedia,en
distilbert/distilbert-base-uncased,66.4,Apache-2.0,BooksCorpus + Wikipedia,en
FacebookAI/roberta-base,124.6,MIT,BooksCorpus + Wikipedia + CC-News + OpenWebText + Stories,en
microsoft/deberta-v3-small,141.3,MIT,as RoBERTa,en
microsoft/deberta-v3-base,183.8,MIT,as RoBERTa,en
google/electra-small-discriminator,13.5,Apache-2.0,BooksCorpus + Wikipedia,en
sentence-transformers/all-MiniLM-L6-v2,22.7,Apache-2.0,1 billion pairs of sentences,en
sentence-transformers/paraphrase-MiniLM-L3-v2,17.4,Apache-2.0,paraphrases,en
BAAI/bge-small-en-v1.5,33.4,MIT,pairs of texts,en
google-bert/bert-base-chinese,102.3,Apache-2.0,Chinese Wikipedia,zh
hfl/chinese-macbert-base,102.3,Apache-2.0,Chinese Wikipedia + web,zh
hfl/chinese-roberta-wwm-ext,102.3,Apache-2.0,Chinese Wikipedia + web,zh
BAAI/bge-small-zh-v1.5,24.0,MIT,pairs of texts,zh
FacebookAI/xlm-roberta-base,278.0,MIT,CommonCrawl (100 languages),multi
google-bert/bert-base-multilingual-cased,177.9,Apache-2.0,Wikipedia (104 languages),multi
intfloat/multilingual-e5-small,117.7,MIT,pairs of texts (100 languages),multi
intfloat/multilingual-e5-base,278.0,MIT,pairs of texts (100 languages),multi
sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2,117.7,Apache-2.0,paraphrases (50 languages),multi
sentence-transformers/paraphrase-multilingual-mpnet-base-v2,278.0,Apache-2.0,paraphrases (50 languages),multi
sentence-transformers/LaBSE,470.9,Apache-2.0,translations (109 languages),multi
ibm-granite/granite-embedding-30m-english,30.3,Apache-2.0,pairs of texts,en
ibm-granite/granite-embedding-107m-multilingual,107.0,Apache-2.0,pairs of texts (12 languages),multi
Alibaba-NLP/gte-modernbert-base,149.0,Apache-2.0,pairs of texts,en
mixedbread-ai/mxbai-embed-large-v1,335.1,Apache-2.0,pairs of texts,en
"""


def main(checkout: str) -> None:
    date = _git(checkout, "log", "-1", "--format=%cs", "--", "results/results-imagenet.csv").strip()
    rows = [*_timm(checkout, f"timm results {date}"), *_torchvision(), *_texts()]
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, FIELDS, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    print(f"{len(rows)} models, {TABLE.stat().st_size / 1024:.0f} kB")


def _timm(checkout: str, source: str) -> list[dict]:
    import timm

    measured = {row["model"]: row for row in _read(checkout, "results/results-imagenet.csv")}
    operations: dict[tuple[str, int], float] = {}
    sizes: dict[str, str] = {}
    listing = _git(checkout, "ls-tree", "--name-only", "HEAD", "results/").split()
    for name in listing:
        if "benchmark-infer" in name:
            for row in _read(checkout, name):
                if row.get("infer_gmacs"):
                    key = row["model"].split(".")[0], int(row["infer_img_size"])
                    operations[key] = float(row["infer_gmacs"].replace(",", ""))
                    sizes[key[0]] = row["param_count"]
    rows = []
    for name in timm.list_models(pretrained=True):
        if name.startswith("test_"):
            continue
        cfg, row = timm.get_pretrained_cfg(name), measured.get(name, {})
        pixels = int(row.get("img_size") or (cfg.test_input_size or cfg.input_size)[-1])
        gmacs = operations.get((name.split(".")[0], pixels))
        rows.append({
            "address": f"timm:{name}", "reads": "pictures", "default": _is_default(name), "parameters": (row.get("param_count") or sizes.get(name.split(".")[0], "")).replace(",", ""), "pixels": pixels,
            "gmacs": "" if gmacs is None else f"{gmacs:g}", "score": row.get("top1", ""), "top5": row.get("top5", ""),
            "metric": "top-1" if row else "", "licence": "" if cfg.license == "unknown" else spdx(cfg.license or ""), "pretraining": _pretraining(name), "language": "",
            "source": source if row else "", "file": "" if cfg.hf_hub_id == f"timm/{name}" else cfg.hf_hub_id or "",
        })  # fmt: skip
    return rows


def _is_default(name: str) -> int:
    import timm

    architecture, _, tag = name.partition(".")
    return int(timm.get_pretrained_cfg(architecture).tag == tag)


def _pretraining(name: str) -> str:
    parts = name.partition(".")[2].replace("_", " ").split()
    named = [DATA[part] for part in parts if part in DATA]
    return " > ".join(data for data, _ in groupby(named))


def _torchvision() -> list[dict]:
    import torchvision
    from torchvision import models

    rows, source = [], f"torchvision {torchvision.__version__.partition('+')[0]}"
    for module in (models, models.segmentation):
        for name in models.list_models(module=module):
            for weights in models.get_model_weights(name):
                meta = weights.meta
                (data, metrics), prepared = next(iter(meta["_metrics"].items())), weights.transforms()
                top = "acc@1" in metrics
                if top and metrics["acc@1"] != metrics["acc@1"]:
                    continue  # features alone, without a head
                swag = "SWAG" in weights.name
                rows.append({
                    "address": f"torchvision:{name}/{weights.name}", "reads": "pictures", "default": int(weights is type(weights).DEFAULT), "parameters": f"{meta['num_params'] / 1e6:.2f}",
                    "pixels": (getattr(prepared, "crop_size", None) or prepared.resize_size)[0], "gmacs": f"{meta['_ops']:g}",
                    "score": metrics["acc@1"] if top else metrics["miou"], "top5": metrics["acc@5"] if top else "",
                    "metric": "top-1" if top else "mIoU COCO/VOC", "licence": "CC-BY-NC-4.0" if swag else "BSD-3-Clause",
                    "pretraining": ("Instagram-3.6B > " if swag else "") + ("ImageNet-1k" if data.startswith("ImageNet") else "COCO"),
                    "language": "", "source": source, "file": weights.url.rpartition("/")[2],
                })  # fmt: skip
    return rows


def _texts() -> list[dict]:
    names = ("address", "parameters", "licence", "pretraining", "language")
    rows = [dict(zip(names, row, strict=True)) for row in csv.reader(io.StringIO(TEXTS))]
    encoders = read_encoders()
    means = dict(zip(encoders.names, encoders.accuracy.mean(axis=(1, 2)), strict=True))
    empty = {"pixels": "", "gmacs": "", "score": "", "top5": "", "metric": "", "source": "", "file": ""}
    return [
        {
            **empty, **row, "address": f"hf:{row['address']}", "reads": "texts", "default": 1,
            **(_of_mteb(means[row["address"]], encoders.date) if row["address"] in means else {}),
        }
        for row in rows
    ]  # fmt: skip


def _of_mteb(mean: float, date: str) -> dict[str, str]:
    return {
        "score": f"{100 * mean:.1f}",
        "metric": "MTEB",
        "source": f"MTEB results {date}, 12 English classifications",
    }


def _read(checkout: str, path: str) -> list[dict]:
    return list(csv.DictReader(io.StringIO(_git(checkout, "show", f"HEAD:{path}"))))


def _git(checkout: str, *words: str) -> str:
    return subprocess.run(["git", "--git-dir", checkout, *words], check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main(sys.argv[1])
