# Everything is set up from Python 3.11+ and make alone; later runs reuse .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# what `make bench` measures: ids of workloads or their first parts, numbers of rows, names of peers; empty: all
WORKLOADS :=
SIZES :=
PEERS :=

.PHONY: setup demo gains gains-large officer-day bench links test test-slow attacks kill-points lint packs kernels proto clean

setup: $(READY)

$(READY): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: install Python 3.11 or newer"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	$(BIN)/python -m consortia.protocols.kernels
	@touch $(READY)

demo: setup ## three banks, a coordinator and an analyst answer one question, as separate processes
	$(BIN)/python -m examples.aml.demo

gains: setup ## what three banks find alone and together, and what it costs; writes build/gains.json and docs/gains.md
	$(BIN)/python -m examples.aml.gains

gains-large: setup ## structuring over 5 million transactions, risk over a million; writes docs/gains-large.md
	$(BIN)/python -m examples.aml.large

officer-day: setup ## two officers, three versions, a denial, a hold, a revocation, evidence; writes build/officer-day.json
	$(BIN)/python -m examples.officer_day

bench: setup ## our engine beside others; WORKLOADS=sort SIZES=10000,100000 PEERS=spu measures a part
	$(BIN)/python -m benchmarks --workloads "$(WORKLOADS)" --sizes "$(SIZES)" --peers "$(PEERS)"

links: setup ## predicted and measured seconds over links of several latencies, five minutes
	$(BIN)/python -m benchmarks.links

packs: setup ## a thousand evidence packs, made and verified, seven minutes
	$(BIN)/python -m benchmarks.packs

test: setup ## the whole suite, under ten minutes on two cores
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-slow: setup ## the longer tests
	$(BIN)/python -m pytest -m slow

attacks: setup ## run every attack without and with its protection; writes build/attacks.json
	$(BIN)/python -m examples.attacks

kill-points: setup ## kill a node at every transition of a session; writes docs/reference/kill-points.md
	CONSORTIA_GOLDEN=write $(BIN)/python -m pytest -m slow tests/simulation/test_kill_at_every_transition.py

lint: setup ## style, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

kernels: setup ## compile the kernels once, so that no run waits for the compiler
	$(BIN)/python -m consortia.protocols.kernels

proto: setup ## regenerate the stubs of the control plane
	$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --mypy_out=. --mypy_grpc_out=. --grpc_python_out=. consortia/wire/control.proto

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache
