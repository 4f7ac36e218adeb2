"""The kinds of job, each a folder: what a specification holds and what happens next. Plain Python, no Django."""
