"""Where runs run: compute targets, their nodes, the queue in front of them, and how busy they are.

A node is a bounded share of an engine with its own network and volume. `planner` decides, `scaling` acts on the engine,
`placing` is what a worker asks for a run. This package knows runs only by their ids.
"""
