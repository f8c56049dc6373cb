"""People who never existed: rendered data sets in Market-1501 layout.

Needs the extra ``synthetic`` (anny, warp, torch), which is imported only when something is rendered.
"""

from __future__ import annotations

from swiftreid.synthetic.dataset import SynthReport, synthesize
from swiftreid.synthetic.ingredients import INGREDIENTS

__all__ = ["INGREDIENTS", "SynthReport", "synthesize"]
