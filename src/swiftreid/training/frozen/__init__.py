"""Learning codes on frozen embeddings."""
