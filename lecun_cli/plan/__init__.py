"""The plan of a spec: its types, and the planner."""
