"""What a search keeps in memory for each entry of a gallery."""

from __future__ import annotations

from collections.abc import Mapping

from swiftreid.search import kernels
from swiftreid.search.cascade import Cascade
from swiftreid.search.codes import row_bytes_of


def bytes_per_entry(cascade: Cascade, row_bytes: Mapping[str, int] | None = None) -> int:
    """What an entry takes in memory for a cascade on native kernels: its codes, and what is kept a second time.

    That is, besides the codes: the bit planes of a short code that a first stage scans; for certified search its code
    split in two; for inverted lists the position and the codes of the next two stages, in the lists' order.

    Args:
        cascade: the search.
        row_bytes: code -> bytes of one; by default from the codes' names.

    Example:
        >>> bytes_per_entry(Cascade.parse("id2048")), bytes_per_entry(Cascade.parse("id32:share=0.2 > id2048"))
        (256, 264)
    """
    sizes = {code: row_bytes[code] if row_bytes else row_bytes_of(code) for code in cascade.codes}
    stages = cascade.stages
    codes = sum(sizes.values())
    if stages[-1].miss:
        return 2 * codes
    probing = stages[0].keep == "nprobe"
    lists = 4 + sum(sizes[stage.code] for stage in stages[1:3]) if probing else 0
    scanned = sizes[stages[1 if probing else 0].code]
    planes = scanned if len(stages) > 1 and scanned <= kernels.MAX_SLICED_BYTES else 0
    return codes + lists + planes
