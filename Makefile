# Each target prepares what it needs. PYTHON chooses the interpreter that .venv is made with.
.PHONY: demo test lint format bench lock clean
OTHER_SYSTEMS = darwin win32 freebsd14 openbsd7

demo:
	@tools/bootstrap demo
	@.venv/bin/wgtun demo

test: lint
	.venv/bin/pytest

lint:
	@tools/bootstrap test
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	for system in $(OTHER_SYSTEMS); do .venv/bin/mypy --platform $$system --cache-dir .mypy_cache/$$system src || exit 1; done
	.venv/bin/mypy --platform linux

format:
	@tools/bootstrap test
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

bench:
	@tools/bootstrap test
	.venv/bin/python -m benchmarks

lock:
	tools/lock

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
