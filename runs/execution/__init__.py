"""From a submitted run to its end: one step at a time, by any worker, whoever is killed when."""
