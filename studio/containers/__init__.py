"""The only door to Docker: images, containers, networks, volumes and what they use, on one engine or several.

Docker is asked, never remembered: every function looks at the engine and is safe to call twice. What it refuses is
raised as a StudioError. Nothing else in the project imports the docker package.
"""
