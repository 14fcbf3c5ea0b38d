"""``python -m levo``: the same as the ``levo`` command."""

from levo.cli import main

main()
