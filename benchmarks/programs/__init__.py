"""Programs that measures run inside a host; each prints a line of JSON when it begins and one when it is done."""

from __future__ import annotations

import json


def report(**values: object) -> None:
    """Say that we begin, or what was counted."""
    print(json.dumps(values), flush=True)
