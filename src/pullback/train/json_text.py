"""JSON that every reader takes: it has no word for NaN and infinity, which become null."""

import json
import math
from typing import Any


def json_text(content: Any, indent: int | None = None) -> str:
    """The content as JSON (RFC 8259), numbers that are not finite as null.

    >>> json_text({"loss": float("inf"), "rows": [1, float("nan")]})
    '{"loss": null, "rows": [1, null]}'
    """
    return json.dumps(_finite(content), indent=indent, ensure_ascii=False, allow_nan=False)


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
