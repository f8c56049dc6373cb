"""People who never existed: rendered data sets in Market-1501 layout."""
