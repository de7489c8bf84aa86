"""``python -m saferollout``: the same commands as ``saferollout``."""

from saferollout.cli.main import app

app()
