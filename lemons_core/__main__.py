"""`python -m lemons_core`."""

import sys

from lemons_core.cli import main

sys.exit(main())
