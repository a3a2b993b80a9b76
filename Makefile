PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
SERVE := .venv-serve

# Stages are started by dvc as `python -m ...`, so the environment's python has to come first.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo test repro pull serve readme lint bench clean
demo: $(READY)  ## the whole chain on drawn faces, in demo/
	$(BIN)/python -m tools.demo

test: $(READY)  ## all tests, two files at a time; the longest, the chain, comes early in the alphabet
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

repro: $(READY)  ## the whole chain as params.yaml says
	$(BIN)/dvc repro

pull: $(READY)  ## the pinned network for serving, from the release store in this repository
	$(BIN)/dvc pull models/serving

serve: $(SERVE)/ready models/serving/card.json  ## the web application at http://127.0.0.1:8000
	OPENCV_IPP=avx2 FACIAL_EXPRESSION_MODEL=models/serving $(SERVE)/bin/python -m uvicorn --factory app.main:create_app --host 127.0.0.1

readme: $(READY)  ## the figures of README.md and MODEL_CARD.md from the committed metrics
	$(BIN)/python -m tools.update_readme

lint: $(READY)  ## style and formatting
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

bench: $(READY)  ## measure; nothing here passes or fails
	$(BIN)/python -m benchmarks.decoding
	$(BIN)/python -m benchmarks.training
	$(BIN)/python -m benchmarks.serving

clean:  ## what demo and the tests leave behind
	rm -rf demo .pytest_cache .ruff_cache .hypothesis

$(READY): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 10) <= sys.version_info < (3, 14) else "Python 3.10 to 3.13 is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --requirement requirements.txt
	touch $@

$(SERVE)/ready: requirements-serve.txt
	rm -rf $(SERVE) && $(PYTHON) -m venv $(SERVE)
	$(SERVE)/bin/python -m pip install --disable-pip-version-check --no-compile --requirement requirements-serve.txt
	$(SERVE)/bin/python -m pip uninstall --quiet --yes pip setuptools
	env -u PYTHONDONTWRITEBYTECODE $(SERVE)/bin/python -c 'import app.main, uvicorn.main'  # compiles what serving imports and nothing else
	touch $@

models/serving/card.json:
	$(MAKE) pull
