"""Everything that draws: figures, ranked lists, match maps, contact sheets."""
