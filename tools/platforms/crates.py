"""Small generated crates whose constants hold claims: they type-check for a system only if all are true."""

from __future__ import annotations

import shutil
import subprocess

from tools.platforms.constants import ROOT

_DIRECTORY = ROOT / ".cross" / "crate"
# As in native/Cargo.toml, so that what both depend on is built once.
_MANIFEST = """\
[package]
name = "{name}"
version = "0.0.0"
edition = "2024"

[dependencies]
{dependencies}

[workspace]

[profile.release]
codegen-units = 1
lto = "thin"
"""


def type_check(name: str, dependencies: str, source: str, target: str) -> str:
    """What the compiler says; empty when all is right."""
    crate = _DIRECTORY / name
    (crate / "src").mkdir(parents=True, exist_ok=True)
    (crate / "Cargo.toml").write_text(_MANIFEST.format(name=name, dependencies=dependencies), encoding="utf-8")
    (crate / "src" / "lib.rs").write_text(source, encoding="utf-8")
    shutil.copy(ROOT / "native" / "Cargo.lock", crate / "Cargo.lock")
    words = [str(ROOT / "tools" / "platforms" / "native"), f"crate/{name}", target]
    done = subprocess.run(words, capture_output=True, text=True, timeout=1200, check=False)
    return done.stdout + done.stderr if done.returncode else ""
