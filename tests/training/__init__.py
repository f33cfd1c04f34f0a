"""The training of the small planner."""
