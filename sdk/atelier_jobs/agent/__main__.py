"""`python -m atelier_jobs.agent`."""

import sys

from atelier_jobs.agent.run import main

sys.exit(main(sys.argv[1:]))
