"""`python -m benchmarks.audit`: see `run.py`."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.audit.designs import designs
from benchmarks.audit.run import run
from benchmarks.audit.tables import show

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("what", choices=["run", "show"])
parser.add_argument("--part", default="development", choices=["development", "unseen", "real", "all"])
parser.add_argument("--studies", type=int, default=500)
parser.add_argument("--seed", type=int, default=101)
parser.add_argument("--only", default="", help="designs, separated by commas")
parser.add_argument("--pools", default="", help="real pools: cells=FOLDER,flowers=FOLDER")
parser.add_argument("--folder", type=Path, default=Path("audit-rows"))
parser.add_argument("--processes", type=int, default=2)
if __name__ == "__main__":
    options = parser.parse_args()
    if options.what == "run":
        only = [name for name in options.only.split(",") if name]
        chosen = {k: d for k, d in designs(options.part).items() if not only or k in only}
        pools = {k: Path(v) for k, v in (pair.split("=") for pair in options.pools.split(",") if pair)}
        run(chosen, options.studies, options.seed, options.folder, pools=pools, processes=options.processes)
    else:
        show(options.part, options.seed, options.folder)
