"""The worker service around the steps: its child, its sandbox, the life of a task."""
