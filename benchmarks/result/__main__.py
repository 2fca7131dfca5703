"""`make bench-result`: the same data, weights, core and minutes for everybody. Writes docs/benchmarks/result.md.

    python -m benchmarks.result run FOLDER --minutes 1 --core 0         all contenders on all data sets; a stopped run goes on
    python -m benchmarks.result run FOLDER --minutes 3 --sets trec,sst2 --contenders textbook
    python -m benchmarks.result publish FOLDER                          keeps the records, writes the page

FOLDER lies outside the checkout; data, weights and records are kept there. WEIGH_TEST_DATA says where the data are. `publish` adds the records to
those in results/, from which the page is written.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from benchmarks.result.contenders import CONTENDERS, MEDIA, absent
from benchmarks.result.run import is_late, read_records, run_contender
from benchmarks.result.sets import ALL_SETS, SETS, write_set


def words(written: str) -> list[str]:
    return [word.strip() for word in written.split(";" if ";" in written else ",") if word.strip()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["run", "publish"])
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--minutes", type=lambda written: [float(word) for word in words(written)], default=[1.0, 3.0, 10.0]
    )
    parser.add_argument("--sets", type=words, default=list(SETS), help=",".join(ALL_SETS))
    parser.add_argument(
        "--contenders", type=words, default=list(CONTENDERS), help="separated by ; : " + "; ".join(CONTENDERS)
    )
    parser.add_argument("--core", type=int, default=None, help="pin everything to this core")
    chosen = parser.parse_args()
    folder = chosen.folder.resolve()
    os.environ["WEIGH_CACHE"] = str(folder / "cache")
    if chosen.step == "publish":
        from benchmarks.result.kept import keep
        from benchmarks.result.publish import write_page

        for set_name in ALL_SETS:
            write_set(set_name, folder)
        write_page(keep(read_records(folder), folder), folder)
        return
    if chosen.core is not None:
        os.sched_setaffinity(0, {chosen.core})  # inherited by all that is started
    for minutes in chosen.minutes:
        for set_name in chosen.sets:
            for contender in chosen.contenders:
                if ALL_SETS[set_name].medium not in MEDIA.get(contender, ("pictures", "texts")):
                    continue
                if why := absent(contender):
                    print(f"{contender}: left out: {why}", flush=True)
                    continue
                record = run_contender(folder, set_name, contender, 60 * minutes)
                if record is not None:
                    seconds = "no model" if record["seconds"] is None else f"{record['seconds']:.0f} s"
                    late = ", late" if is_late(record) else ""
                    print(
                        f"{set_name}, {minutes:g} min, {contender}: {seconds}{late} {record.get('cause', '')}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
