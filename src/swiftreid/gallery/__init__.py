"""What lasts: the durable store of entries. Never imports torch."""
