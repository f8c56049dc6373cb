"""Names of files as text that is safe to print and to store."""

from __future__ import annotations

_CONTROLS = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)] if chr(code) not in "\n\t"}


def printable(text: str) -> str:
    """The text without what is no text: control characters and bytes of file names that are not UTF-8 are written out.

    A file's name may hold what changes a terminal's colours, or worse.
    """
    return text.translate(_CONTROLS).encode("utf-8", "backslashreplace").decode()
