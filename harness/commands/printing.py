"""How commands print text that is not their own: unchanged, for any terminal.

In: nothing. Out: options of rich's `Console.print`.
"""

from __future__ import annotations

from typing import Any

PLAIN: dict[str, Any] = {"markup": False, "highlight": False, "soft_wrap": True}
