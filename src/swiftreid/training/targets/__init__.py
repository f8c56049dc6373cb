"""What a training step learns from."""
