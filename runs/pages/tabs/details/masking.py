"""What a page does not show of a definition: values of variables whose name says that they are secret."""

from __future__ import annotations

import re
from typing import Any

# The agent's own rule (atelier_jobs.agent.masking), which runs in the job and not here.
SECRET_NAME = re.compile(r"(TOKEN|KEY|PASSWORD|PASSWD|SECRET|CREDENTIALS?)$|PASSWORD|SECRET", re.IGNORECASE)
VARIABLES = "environmentVariables"


def masked_variables(given: dict[str, Any]) -> dict[str, Any]:
    """Variables by name, those with a telling name as ***, as the agent masks them in logs."""
    return {name: "***" if SECRET_NAME.search(name) else value for name, value in given.items()}


def masked(document: Any) -> Any:
    """A definition or any part of one, with the variables of the script and of its environment masked."""
    if isinstance(document, list):
        return [masked(part) for part in document]
    if not isinstance(document, dict):
        return document
    return {
        key: masked_variables(part) if key == VARIABLES and isinstance(part, dict) else masked(part)
        for key, part in document.items()
    }
