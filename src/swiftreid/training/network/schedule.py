"""Learning rates over a run: linear warm-up, then steps or a cosine."""

from __future__ import annotations

from math import cos, pi

from swiftreid.training.network.recipe import Schedule


def rate_at(schedule: Schedule, step: int, steps_per_epoch: int) -> float:
    """The learning rate of a step as a share of the peak.

    Warm-up rises from ``start`` to 1 over the first epochs, step by step; the rest follows the shape. Step decay
    happens at the start of the epochs named; the cosine runs from the end of the warm-up to the end of the run.

    Args:
        schedule: what the recipe states.
        step: from 0.
        steps_per_epoch: steps of one pass over the pictures.
    """
    epoch = step / steps_per_epoch
    if epoch < schedule.warm_up:
        return schedule.start + (1 - schedule.start) * epoch / schedule.warm_up
    if schedule.shape == "steps":
        return schedule.decay ** sum(epoch >= place for place in schedule.decay_at)
    done = (epoch - schedule.warm_up) / max(schedule.epochs - schedule.warm_up, 1 / steps_per_epoch)
    return schedule.end + (1 - schedule.end) * 0.5 * (1 + cos(pi * min(done, 1.0)))
