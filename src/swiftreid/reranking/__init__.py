"""Re-ranking: k-reciprocal neighbours, query expansion, several pictures as one query."""
