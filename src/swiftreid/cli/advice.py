"""Which options put an error right: a library's errors know nothing of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from swiftreid.errors import UsageError


@contextmanager
def with_advice(advice: Mapping[type[UsageError], str]) -> Iterator[None]:
    """Add to errors of these kinds what to do on the command line.

    Raises:
        UsageError: one came; the advice is added to its message.
    """
    try:
        yield
    except tuple(advice) as error:
        raise UsageError(f"{error} ({advice[type(error)]})") from error
