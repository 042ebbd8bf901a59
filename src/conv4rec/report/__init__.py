"""One page about a run: tables and pictures from its records, in a single file that needs no network."""
