"""Fuzzing of the Python: every parser, the data path, and the life of peers.

    python -m fuzz TARGET --seconds 60       one target; with atheris, where it is installed
    python -m fuzz TARGET --replay FILE      one input once more
    make fuzz MINUTES=10                     all targets, the Rust ones too

What a target gets is bytes; what it must not do is raise. Inputs worth keeping are in `corpus/TARGET`; all of them
are replayed by the tests (`tests/property/test_corpora.py`). What failed is left in `crashes/`.
"""
