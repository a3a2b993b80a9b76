"""``python -m facial_expression`` runs the command without an installation."""

from facial_expression.cli.main import main

if __name__ == "__main__":
    main()
