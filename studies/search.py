"""Our search beside FAISS, usearch, NumPy and torch: `swiftreid bench search`, from a checkout.

python studies/search.py --n 516k --n 2M --cache codes --card search.json
"""

from __future__ import annotations

import typer

from swiftreid.cli.bench import search

if __name__ == "__main__":
    typer.run(search)
