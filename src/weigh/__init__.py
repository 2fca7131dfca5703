"""weigh: which pretrained model to use, and what may honestly be concluded.

Names are loaded on first use, so that `import weigh` costs nothing and never imports torch by itself.
"""

import os
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

_HOMES = {
    "Estimate": "weigh.stats.estimate",
    "Finding": "weigh.findings.model",
    "Study": "weigh.study",
    "StudySpec": "weigh.spec",
    "WeighError": "weigh.errors",
    "model": "weigh.models.own_declared",
    "read_predictions": "weigh.reading",
}
__all__ = ["Estimate", "Finding", "Study", "StudySpec", "WeighError", "__version__", "model", "read_predictions"]

# What libraries read from the environment while they are loaded, in every process that knows weigh; what a user set stays. Nothing is reported to
# the makers of libraries. And threads that wait for each other sleep: where other programs keep the cores busy, threads that wait in a loop take
# the time that the slowest of them needs (docs/decisions/arithmetic.md).
for _name, _value in {
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "OMP_WAIT_POLICY": "passive",
}.items():
    os.environ.setdefault(_name, _value)

try:
    __version__ = version("weigh")
except PackageNotFoundError:  # a checkout that is not installed
    __version__ = "0.0.0"


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'weigh' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
