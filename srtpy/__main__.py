"""`python -m srtpy`: the command line."""

import sys

from srtpy.cli.main import main

sys.exit(main())
