"""The commands of ``saferollout``, which kubectl finds as ``kubectl saferollout`` too."""

from __future__ import annotations

import typer

from saferollout.cli.demo import demo
from saferollout.cli.run import run
from saferollout.cli.uninstall import uninstall
from saferollout.cli.watch import watch

app = typer.Typer(
    name="saferollout",
    help="Rolls Deployments out behind ALB and NLB, one gated step at a time.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(epilog="Example: saferollout run --namespace shop --poll-interval 5")(run)
app.command(epilog="Example: kubectl saferollout watch checkout -n shop --until-done")(watch)
app.command(epilog="Example: saferollout uninstall --all --dry-run")(uninstall)
app.command(epilog="Example: saferollout demo --examples examples")(demo)
