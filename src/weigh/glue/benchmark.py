"""GLUE as a benchmark among others: registered here, and imported nowhere else but by the command `weigh glue`."""

from __future__ import annotations

from weigh.data.benchmarks import BENCHMARKS, Benchmark
from weigh.glue.submission import write_submissions
from weigh.glue.tasks import complete_spec
from weigh.language import text

BENCHMARKS.register("glue", Benchmark("glue", text("GLUE", "GLUE"), complete_spec, write_submissions))
