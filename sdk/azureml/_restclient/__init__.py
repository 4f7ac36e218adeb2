"""Where v1's documentation has people raise the snapshot limits."""
