"""A script with its arguments: the only kind that runs in a process or container of its own."""
