# Two commands matter: `make demo` and `make test`. Both set up what they need in .venv.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt
NATIVE := $(wildcard native/*)
CXX_FILES := $(wildcard native/*.cpp native/*.hpp tests/*/*.cpp)

.PHONY: demo test test-slow lint format bench docs generated wheel clean

demo: .venv/.core
	$(BIN)/swiftreid demo

test: .venv/.dev
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

test-slow: .venv/.dev
	$(BIN)/python -m pytest -m slow

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/clang-format --dry-run --Werror $(CXX_FILES)

format: .venv/.dev
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CXX_FILES)

bench: .venv/.dev
	$(BIN)/swiftreid bench search --n 16k --n 516k

docs: .venv/.dev
	$(BIN)/sphinx-build -W -q -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

generated: .venv/.dev
	$(BIN)/python tools/generate.py

# One file in dist/ that installs without a compiler, for this platform; PYTHON=python3.12 or later serves all later ones.
wheel: .venv/.dev
	rm -f dist/swiftreid-*.whl
	$(BIN)/python -m pip --disable-pip-version-check wheel . --no-deps --no-build-isolation --wheel-dir dist
	$(BIN)/python -m zipfile -l dist/swiftreid-*.whl | grep -q swiftreid/_native

clean:
	rm -rf .venv build dist docs/_build out

.venv/bin/python:
	$(PYTHON) -m venv .venv

# The core and ONNX Runtime for the shipped encoder, no torch. What `make demo` needs and no more.
.venv/.core: pyproject.toml constraints.txt $(NATIVE) | .venv/bin/python
	@echo "installing the core and ONNX Runtime into .venv"
	$(PIP) -e ".[onnx]"
	touch $@

.venv/.dev: pyproject.toml constraints.txt $(NATIVE) | .venv/bin/python
	@echo "installing everything into .venv (a few minutes the first time)"
	$(PIP) -e ".[data,torch,onnx,openvino,synthetic,bench,figures,docs,dev]"
	touch $@ .venv/.core
