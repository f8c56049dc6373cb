"""Codes to ranking: code specs, packing, cascades, kernels, thresholds. NumPy and native code only."""
