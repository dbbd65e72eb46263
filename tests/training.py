"""Runs in a child process: `training SCRIPT…` runs the scripts that make the models.

Prints one JSON object: by script what it said about accuracy.
"""

import contextlib
import io
import json
import runpy
import sys


def said(script):
    """By one of them."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        runpy.run_path(script, run_name="__main__")
    return out.getvalue().partition("accuracy on the test split\n")[2]


if __name__ == "__main__":
    sys.stdout.write(json.dumps({script: said(script) for script in sys.argv[1:]}) + "\n")
