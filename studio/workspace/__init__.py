"""The workspace: its members and their roles, tokens, datastores, datasets and the model registry."""
