"""How Python packages reach an environment: the site's indexes, and the door through which builds in containers use them."""
