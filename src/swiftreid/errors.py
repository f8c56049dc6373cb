"""Errors that SwiftReID raises on purpose; each message says what was wrong, with the value, and what to do."""

from __future__ import annotations


class SwiftReIDError(Exception):
    """Something could not be done; the message is meant for the user and is shown without a traceback."""


class SwiftReIDWarning(UserWarning):
    """Something works, but should be put right; the message is meant for the user."""


class UsageError(SwiftReIDError, ValueError):
    """The caller passed something that can never work (wrong shape, unknown name): exit code 2 on the command line."""
