"""One file for each kind of page; a view fetches, asks and answers."""
