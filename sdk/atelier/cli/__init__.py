"""The command `atelier`: sign in, submit, follow logs, look at runs, fetch their files."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

from atelier.cli.parser import build
from atelier.errors import AtelierError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code: 0 done, 1 a sentence says what is wrong, 2 wrong usage, 130 interrupted."""
    parser = build()
    words = list(sys.argv[1:] if argv is None else argv)
    cut = words.index("--") if "--" in words else len(words)
    arguments = parser.parse_args(words[:cut])
    arguments.arguments = words[cut + 1 :]  # argparse would take options of ours out of them
    arguments.json = getattr(arguments, "json", False)
    run = getattr(arguments, "run", None)
    if run is None:
        (getattr(arguments, "parser", None) or parser).print_help()
        return 2
    try:
        code: int = run(arguments) or 0
        sys.stdout.flush()
    except AtelierError as error:
        return _tell(error, as_json=arguments.json)
    except KeyboardInterrupt:
        print("Interrupted. A run that was submitted goes on; `atelier runs cancel` stops it.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `| head` has read enough
        return 0
    except OSError as error:  # a folder that cannot be written, a full disk
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        return _tell(AtelierError(what, code="os_error"), as_json=arguments.json)
    return code


def _tell(error: AtelierError, *, as_json: bool) -> int:
    if as_json:
        print(
            json.dumps({"error": {"code": error.details.get("code") or type(error).__name__, "message": error.message}})
        )
    else:
        print(f"atelier: {error.message}", file=sys.stderr)
    return 1
