# Each target prepares what it needs. PYTHON chooses the interpreter that .venv is made with.
.PHONY: demo test lint format bench fuzz soak audit check-platforms check-peers lock clean
OTHER_SYSTEMS = darwin win32 freebsd14 openbsd7

demo:
	@tools/bootstrap demo
	@.venv/bin/wgtun demo

test: lint
	@if tools/engines | grep -q native; then cd native && cargo test --quiet --release -p wgtun-core; fi
	@for engine in $$(tools/engines); do \
		echo "make test: everything with the $$engine engine"; \
		WGTUN_ENGINE=$$engine .venv/bin/pytest || exit 1; \
	done

lint:
	@tools/bootstrap test
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	for system in $(OTHER_SYSTEMS); do .venv/bin/mypy --platform $$system --cache-dir .mypy_cache/$$system src || exit 1; done
	.venv/bin/mypy --platform linux
	@if tools/engines | grep -q native; then \
		(cd native && cargo fmt --all --check && cargo clippy --quiet --release --workspace --all-targets -- -D warnings) && \
		.venv/bin/python -m mypy.stubtest wgtun_native; \
	fi

format:
	@tools/bootstrap test
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .
	@if tools/engines | grep -q native; then cd native && cargo fmt --all; fi

bench:
	@tools/bootstrap test
	@if tools/engines | grep -q native; then cd native && cargo build --quiet --release -p wgtun-core --example forwarder; fi
	.venv/bin/python -m benchmarks

# All targets share the minutes.
fuzz:
	@tools/bootstrap test
	@tools/fuzz $(or $(MINUTES),14)

# Everything at once, for a while, with each engine.
soak:
	@tools/bootstrap test
	@for engine in $$(tools/engines); do \
		WGTUN_ENGINE=$$engine WGTEST_SOAK=$$((60 * $(or $(MINUTES),3))) .venv/bin/pytest -s tests/interop/test_soak.py || exit 1; \
	done

# Licences, advisories and sources of what the native engine is made of.
audit:
	command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	cd native && cargo deny check

# The other systems, as deeply as can be without them (docs/platforms.md); a quarter of an hour the first time.
check-platforms: lint
	@tools/platforms/setup
	.venv/bin/mypy --platform win32 --cache-dir .mypy_cache/win32 src tests/windows
	.venv/bin/python -m tools.platforms.constants
	.venv/bin/python -m tools.platforms.rust_constants
	.venv/bin/python -m tools.platforms.rust_messages
	@tools/platforms/native clippy $$(tools/platforms/native targets)
	@tools/platforms/native build $$(tools/platforms/native targets) $$(tools/platforms/native linux)
	.venv/bin/pytest tests/platform tests/netns/test_portable_paths.py
	@tools/platforms/wine setup
	@for engine in python native; do \
		echo "check-platforms: Windows' CPython under wine, with the $$engine engine"; \
		WGTUN_ENGINE=$$engine tools/platforms/wine python -m pytest || { tools/platforms/wine end; exit 1; }; \
	done
	@tools/platforms/wine end

# With WireGuard in a Linux kernel, boringtun and GotaTun; a quarter of an hour the first time.
check-peers:
	@tools/bootstrap test
	@tools/peers/setup
	@for engine in $$(tools/engines); do WGTUN_ENGINE=$$engine .venv/bin/pytest tests/peers || exit 1; done

lock:
	tools/lock

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .cross .peers dist native/target
