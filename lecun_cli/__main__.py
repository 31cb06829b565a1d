"""`python -m lecun_cli`."""

from lecun_cli.cli.main import main

if __name__ == "__main__":
    main()
