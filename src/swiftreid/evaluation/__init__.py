"""Protocols, metrics, result cards and pictures of results. Never imports torch."""
