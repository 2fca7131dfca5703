"""Which policy chooses best among encoders, and at what cost?

python -m benchmarks.choosing features FOLDER       once: features of all candidates on all data sets; about twenty minutes on one core
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.choosing.features import make_features


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["features"])
    parser.add_argument("folder", type=Path)
    chosen = parser.parse_args()
    make_features(chosen.folder)


if __name__ == "__main__":
    main()
