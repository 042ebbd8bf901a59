"""`python -m conv4rec` is `conv4rec`."""

from conv4rec.cli import main

main()
