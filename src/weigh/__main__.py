"""`python -m weigh`."""

import sys

from weigh.cli.main import main

sys.exit(main())
