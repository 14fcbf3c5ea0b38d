"""The ``levo`` command: one module per subcommand, imported only when it is the one that runs."""


def main() -> None:
    """Entry point of the ``levo`` script. Always ends in ``SystemExit``."""
    from levo.cli.group import run

    run()
