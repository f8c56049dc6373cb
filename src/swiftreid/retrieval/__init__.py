"""A query in, an answer out: searching, adding pictures, describing people. Never prints and never imports torch."""
