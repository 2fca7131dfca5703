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

# Libraries that report to their makers are told not to before they are loaded, in every process that knows weigh.
for _name in ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY"):
    os.environ.setdefault(_name, "1")

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
