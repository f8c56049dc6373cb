"""Sphinx settings: furo theme, Markdown pages, docstrings by autodoc."""

import swiftreid

project = "SwiftReID"
author = "The SwiftReID authors"
project_copyright = "The SwiftReID authors, Apache-2.0"
release = swiftreid.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
autodoc_typehints = "description"
autodoc_member_order = "bysource"
napoleon_google_docstring = True
html_theme = "furo"
html_title = "SwiftReID"
exclude_patterns = ["_build"]
suppress_warnings = ["ref.python"]
