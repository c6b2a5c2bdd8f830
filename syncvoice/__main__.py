"""`python -m syncvoice` is `syncvoice`."""

import sys

from syncvoice.cli import main

sys.exit(main())
