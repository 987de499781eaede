"""What is sent into a task to look around there."""
