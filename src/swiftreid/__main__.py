"""`python -m swiftreid`, and `torchrun -m swiftreid train ...` for several processes."""

from __future__ import annotations

from swiftreid.cli.entry import run

if __name__ == "__main__":
    run()
