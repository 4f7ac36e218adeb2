"""Secrets do not reach a log: each is overwritten with as many asterisks, so that offsets stay what they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

SECRET_NAME = re.compile(r"(TOKEN|KEY|PASSWORD|PASSWD|SECRET|CREDENTIALS?)$|PASSWORD|SECRET", re.IGNORECASE)
# Shorter values ("1", "yes", "dev") would blot out innocent text and hide nothing.
SHORTEST = 6


def secrets_of(variables: Mapping[str, str], others: Iterable[str] = ()) -> list[str]:
    """The values not to show: those of variables with a telling name, and `others` (the run's token)."""
    values = [value for name, value in variables.items() if SECRET_NAME.search(name)]
    return sorted({value for value in [*values, *others] if len(value) >= SHORTEST})


class Mask:
    """Overwrites secrets in a stream that is read in pieces."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # A secret of several lines (a private key) is printed line by line by many tools; each line counts.
        texts = {line for secret in secrets for line in [secret, *secret.splitlines()] if len(line) >= SHORTEST}
        # The longest first: a secret that contains another is masked whole.
        self._secrets = sorted((text.encode() for text in texts), key=lambda text: (-len(text), text))
        self._pattern = re.compile(b"|".join(re.escape(text) for text in self._secrets)) if self._secrets else None

    def __call__(self, data: bytes) -> bytes:
        """The same number of bytes with every secret in them overwritten."""
        if self._pattern is None:
            return data
        return self._pattern.sub(lambda match: b"*" * len(match.group()), data)

    def words(self, facts: Any) -> Any:
        """The same JSON value with every secret in its texts overwritten: an error's message repeats what it was given."""
        if isinstance(facts, str):
            return self(facts.encode(errors="surrogatepass")).decode(errors="replace")
        if isinstance(facts, Mapping):
            return {key: self.words(value) for key, value in facts.items()}
        if isinstance(facts, list | tuple):
            return [self.words(value) for value in facts]
        return facts

    def held_back(self, data: bytes) -> int:
        """How many of the last bytes may be the beginning of a secret whose rest has not been written yet."""
        if self._pattern is None:
            return 0
        cut = len(data) - self._beginning(data)
        # A secret that stands there whole is not cut in two because its own end could begin another one.
        for match in self._pattern.finditer(data):
            if match.start() < cut < match.end():
                cut = match.end()
        return len(data) - cut

    def _beginning(self, data: bytes) -> int:
        """The length of the longest end of `data` that is the beginning, not the whole, of a secret."""
        for length in range(min(len(self._secrets[0]) - 1, len(data)), 0, -1):
            end = data[-length:]
            if any(len(text) > length and text.startswith(end) for text in self._secrets):
                return length
        return 0
