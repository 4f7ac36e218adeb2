"""The read side: lists, summaries, series. Nothing here writes."""
