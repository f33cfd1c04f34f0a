"""Everything that a permanent installation runs, started, watched and stopped together."""
