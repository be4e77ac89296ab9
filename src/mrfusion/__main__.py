"""``python -m mrfusion``: the command line where no script was installed for it."""

from mrfusion.cli import main

if __name__ == "__main__":
    main()
