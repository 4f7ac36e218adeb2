"""`python -m atelier` is the command `atelier`."""

import sys

from atelier.cli import main

sys.exit(main())
