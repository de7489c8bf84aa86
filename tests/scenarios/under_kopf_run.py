"""Runs ``kopf run -m saferollout.handlers`` by kopf's own test runner until its standard input ends.

A process of its own: the Kubernetes client looks for ``KUBECONFIG`` when it is imported.
"""

from __future__ import annotations

import sys

from kopf.testing import KopfRunner

COMMAND = ["run", "--all-namespaces", "--standalone", "-m", "saferollout.handlers"]

if __name__ == "__main__":
    given = sys.stdin  # the runner puts another in its place
    with KopfRunner(COMMAND, timeout=30) as runner:
        given.read()
    sys.stdout.write(runner.output)
    sys.exit(runner.exit_code if runner.exception is None else str(runner.exception))
