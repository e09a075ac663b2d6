# One word per habit. `make run` and `make test` work on a fresh machine.
PYTHON ?= python3
BIN := .venv/bin
CORES ?= all
BENCHMARKS := $(filter-out full_year,$(basename $(notdir $(wildcard benchmarks/*.py))))

.PHONY: run test fuzz faults bench bench-year dry check verify lint format dag report clean

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet -e ".[test]"
	touch $@

run: .venv/installed
	$(BIN)/snakemake --cores $(CORES)
	@echo
	@echo "product: $$(ls -d $(CURDIR)/results/product/*.nc | tr '\n' ' ')"
	@echo "report:  $(CURDIR)/results/report.html"

test: .venv/installed
	$(BIN)/pytest

fuzz: .venv/installed
	cd tests && ../$(BIN)/python -m fuzz

faults: .venv/installed
	cd tests && ../$(BIN)/python -m faults --kills $(or $(KILLS),50)

bench: .venv/installed
	@for name in $(BENCHMARKS); do $(BIN)/python benchmarks/$$name.py || exit 1; done

bench-year: .venv/installed
	@$(BIN)/python benchmarks/full_year.py $(or $(FOLDER),results/full_year)

dry: .venv/installed
	$(BIN)/snakemake -n --quiet rules

check: .venv/installed
	$(BIN)/snakemake --cores 1 check

verify: .venv/installed
	$(BIN)/snakemake --cores 1 verify

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/snakemake --lint

format: .venv/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow/rules

dag: .venv/installed
	$(BIN)/snakemake --rulegraph > results/rulegraph.dot

report: .venv/installed
	$(BIN)/snakemake --report results/snakemake_report.zip

clean:
	rm -rf results/[!R]* results/.[!.]* .snakemake
