"""The small model that answers without a key: its server, its planner and how it reads."""
