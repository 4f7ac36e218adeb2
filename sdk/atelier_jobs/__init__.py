"""Code that runs inside jobs: the agent that carries a script run from its snapshot to its outputs."""
