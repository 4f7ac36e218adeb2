"""v1 place of contributed packages."""
