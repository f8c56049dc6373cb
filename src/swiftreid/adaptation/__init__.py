"""Better codes for the cameras at hand, from pictures that nobody has labelled."""
