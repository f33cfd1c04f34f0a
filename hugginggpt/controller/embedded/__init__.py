"""The small model that plans and answers without a key: its server, its planner, its grammar and its answers."""
