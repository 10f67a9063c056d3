"""What each task is: one folder a task."""
