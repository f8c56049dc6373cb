"""Encoders: pictures to encodings; the artefact and its card."""
