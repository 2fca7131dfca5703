"""Which policy chooses best among encoders, and at what cost? Writes docs/benchmarks/choosing.md.

    python -m benchmarks.choosing features FOLDER       once: features of all candidates on all data sets
    python -m benchmarks.choosing develop FOLDER        replays on the data sets and seeds by which the rule was made
    python -m benchmarks.choosing sealed FOLDER         replays on all data sets with other seeds, the rule as it is
    python -m benchmarks.choosing publish FOLDER        the page
    python -m benchmarks.choosing texts                 replays of what MTEB publishes of text encoders, into the page (seconds)

FOLDER lies outside the checkout; features and replays are kept there, and a stopped run goes on. WEIGH_TEST_DATA says where pictures are.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.choosing.features import make_features
from benchmarks.choosing.pools import DEVELOPMENT, POOLS
from benchmarks.choosing.publish import TEXTS, tables, write_page, write_tables
from benchmarks.choosing.replays import read_replays, run_replays
from benchmarks.choosing.texts import text_tables

DEVELOPMENT_SEED, SEALED_SEED = 100, 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["features", "develop", "sealed", "publish", "texts"])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--draws", type=int, default=8, help="of the halves of each data set")
    chosen = parser.parse_args()
    if chosen.step == "texts":
        write_tables(TEXTS, text_tables())
    elif chosen.folder is None:
        parser.error(f"{chosen.step} needs the FOLDER where features and replays are kept")
    elif chosen.step == "features":
        make_features(chosen.folder)
    elif chosen.step == "publish":
        write_page(read_replays(chosen.folder / "sealed.jsonl"))
    else:
        pools, first = (DEVELOPMENT, DEVELOPMENT_SEED) if chosen.step == "develop" else (tuple(POOLS), SEALED_SEED)
        path = chosen.folder / f"{chosen.step}.jsonl"
        for seed in range(first, first + chosen.draws):  # draw by draw: a stopped run has seen all data sets
            run_replays(chosen.folder, pools, [seed], path)
        print(tables(read_replays(path)))


if __name__ == "__main__":
    main()
