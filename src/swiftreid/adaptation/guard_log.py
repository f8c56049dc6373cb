"""The guard's verdict in the log of the run that it is about."""

from __future__ import annotations

from pathlib import Path

from swiftreid.adaptation.guard import GuardVerdict
from swiftreid.training.network.run_log import RunLog


def log_verdict(folder: Path, verdict: GuardVerdict) -> None:
    """Append a verdict to a run's log, beside what the log says of each epoch's clusters.

    Args:
        folder: of the run.
        verdict: on what it made.
    """
    before, after = verdict.before, verdict.after
    figures: dict[str, float | int | str] = {
        "linked_before": before.linked,
        "possible_before": before.possible,
        "linked_after": after.linked,
        "possible_after": after.possible,
        "believed": "yes" if verdict.believed else "no",
    }
    log = RunLog(folder)
    log.write("guard", log.last_step(), figures)
    log.close()
