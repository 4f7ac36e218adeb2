"""The REST API under /api/v1/: who calls, what a body may hold, which action or query answers."""
