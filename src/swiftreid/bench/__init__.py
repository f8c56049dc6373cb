"""Search measured against its peers in one run: synthetic codes, contenders, timing, growth."""
