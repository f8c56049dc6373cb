"""People without names: which pictures may show the same person, from embeddings alone."""
