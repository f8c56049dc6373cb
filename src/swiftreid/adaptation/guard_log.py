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
    figures: dict[str, float | int | str] = {
        "clusters": verdict.clusters,
        "believed": "yes" if verdict.believed else "no",
    }
    measured = {"lead_before": verdict.before, "lead_after": verdict.after, "error": verdict.error}
    figures |= {name: value for name, value in measured.items() if value is not None}
    log = RunLog(folder)
    log.write("guard", log.last_step(), figures)
    log.close()
