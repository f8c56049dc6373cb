"""Calibration: thresholds of cascades and of the same person, fitted on held-out people. No encoder is needed."""
