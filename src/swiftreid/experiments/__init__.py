"""Experiments: a data set and an encoder in; result cards, calibrations and the numbers behind figures out.

Nothing here prints, parses options or writes a file that was not asked for. Warnings are `SwiftReIDWarning`.
"""
