"""The agent does the job where it runs: snapshot in, script, logs and outputs out, and the truth on how it ended.

An image, a run id, the run's token and the server's address are all it needs, so that a job is the same as a local
process, a container or a task on another host. `python -m atelier_jobs.agent` runs the job; with `deliver` it sends
what an agent that was killed had left behind in the same folder.
"""
