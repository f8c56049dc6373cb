"""Network parts without policy: heads and losses, one idea per file."""
