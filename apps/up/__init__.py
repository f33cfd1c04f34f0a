"""Everything that a standing installation runs, started, watched and stopped as one."""
