"""What compute tells those above it, without knowing them."""

from django.dispatch import Signal

# A target got room, or refuses from now on: the runs with these ids should ask again. Argument: run_ids.
look_again = Signal()
