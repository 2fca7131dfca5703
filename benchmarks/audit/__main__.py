"""`python -m benchmarks.audit`: see `run.py` and `publish.py`.

python -m benchmarks.audit run --part development --studies 400 --seed 101      while rules are chosen
python -m benchmarks.audit show --part development --seed 101
python -m benchmarks.audit sealed --pools cells=FOLDER,flowers=FOLDER           the published run
python -m benchmarks.audit again --studies 200                                  the same designs with the rule as it is now
python -m benchmarks.audit second                                              single scores, networks, unlike strengths
python -m benchmarks.audit readings                                            every sentence that says yes or no
python -m benchmarks.audit publish                                             tables and docs/audit.md
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

from benchmarks.audit.designs import AGAIN, SEALED, designs, fast
from benchmarks.audit.packages import package_row
from benchmarks.audit.publish import READINGS_ROWS, SECOND_ROWS, publish
from benchmarks.audit.readings import READINGS, run_readings
from benchmarks.audit.real import find_pools, make_pools
from benchmarks.audit.run import run, run_extra
from benchmarks.audit.second import SECOND, run_second
from benchmarks.audit.tables import show

MANY, FEW, SLOW = 5000, 1000, 300

COMMIT = "sealed-commit.txt"  # of the rule that the sealed rows were made with


def remember_commit(folder: Path) -> None:
    """Note the commit at the first start of the sealed run; one that goes on keeps it."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / COMMIT).exists():
        head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        (folder / COMMIT).write_text(head.stdout, "utf-8")


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument(
    "what", choices=["run", "show", "pools", "packages", "sealed", "again", "second", "readings", "publish"]
)
parser.add_argument("--part", default="development", choices=["development", "unseen", "real", "all"])
parser.add_argument(
    "--studies", type=int, help="per design; default: 400 while rules are chosen, 2,000 and 1,000 in published runs"
)
parser.add_argument("--seed", type=int, default=101)
parser.add_argument("--only", default="", help="designs, or parts of the readings, separated by commas")
parser.add_argument("--pools", default="", help="real pools: cells=FOLDER,flowers=FOLDER")
parser.add_argument("--folder", type=Path, default=Path("audit-rows"), help="where rows are kept")
parser.add_argument("--processes", type=int, default=2)
if __name__ == "__main__":
    options = parser.parse_args()
    only = [name for name in options.only.split(",") if name]
    pools = {k: Path(v) for k, v in (pair.split("=") for pair in options.pools.split(",") if pair)}
    pools = pools or find_pools(options.folder)
    more = {"folder": options.folder, "pools": pools, "processes": options.processes}
    if options.what == "run":
        chosen = {k: d for k, d in designs(options.part).items() if not only or k in only}
        run(chosen, options.studies or 400, options.seed, **more)
    elif options.what == "show":
        show(options.part, options.seed, options.folder)
    elif options.what == "pools":
        make_pools(options.folder)
    elif options.what == "packages":
        chosen = {k: designs("development")[k] for k in ("reference", "reference-gap")}
        run_extra(chosen, SLOW, SEALED, options.folder, package_row, "packages")
    elif options.what == "second":
        chosen = options.seed != parser.get_default("seed")
        file = options.folder / f"second-{options.seed}.csv" if chosen else SECOND_ROWS
        run_second(options.studies or (400 if chosen else 2000), options.seed if chosen else SECOND, file)
    elif options.what == "readings":
        chosen = options.seed != parser.get_default("seed")
        file = options.folder / f"readings-{options.seed}.csv" if chosen else READINGS_ROWS
        run_readings(options.studies or (400 if chosen else 1000), options.seed if chosen else READINGS, file, only)
    elif options.what == "again":
        chosen = {k: d for k, d in designs("all").items() if getattr(d, "pool", None) in (None, *pools)}
        run({k: d for k, d in chosen.items() if not only or k in only}, options.studies or MANY, AGAIN, **more)
    elif options.what == "sealed":
        chosen = {**designs("development"), **designs("unseen")}
        real = {k: d for k, d in designs("real").items() if d.pool in pools}
        remember_commit(options.folder)
        run_extra({k: chosen[k] for k in ("reference", "reference-gap")}, FEW, SEALED, options.folder)
        run({**chosen, **real}, FEW, SEALED, **more)
        run({k: d for k, d in chosen.items() if fast(d)}, MANY, SEALED, **more)
    else:
        publish(SEALED, options.folder, (options.folder / COMMIT).read_text("utf-8").strip())
