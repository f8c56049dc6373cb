"""Figures of papers and reports, one per module: first the numbers, then the drawing of them (extra ``figures``).

The numbers need NumPy only. Drawing needs matplotlib, which is imported when something is drawn.
"""
