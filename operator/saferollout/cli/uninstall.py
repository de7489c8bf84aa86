"""``saferollout uninstall``: gives every Deployment back, with the operator or without it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Annotated

import orjson
import typer

from saferollout.api.plain import plain
from saferollout.cli.signals import run_until_signalled
from saferollout.observe.listwatch import Refused
from saferollout.reach import FAILURES, UnreachableError, connected, why
from saferollout.uninstalling import Ended, Outcome, Scope, found
from saferollout.uninstalling import uninstall as uninstalled


class Exit(IntEnum):
    """Exit codes of ``saferollout uninstall``."""

    OK = 0
    LEFT = 1
    UNREACHABLE = 4


class Output(StrEnum):
    """How results are written."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done where."""

    namespace: str | None
    kubeconfig: Path | None
    context: str | None
    patience: float
    dry_run: bool


_SAID = {
    Outcome.FOUND: "to be given back",
    Outcome.BY_OPERATOR: "given back by the operator",
    Outcome.BY_COMMAND: "given back",
    Outcome.LEFT: "NOT given back",
}


def uninstall(  # noqa: PLR0913 - typer makes an option of every parameter
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="The namespace to leave; or --all.")
    ] = None,
    *,
    everywhere: Annotated[bool, typer.Option("--all", help="Leave all namespaces.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be given back.")] = False,
    patience: Annotated[
        float, typer.Option(help="Seconds in which an operator has to react, or there is none.", min=1.0)
    ] = 30.0,
    context: Annotated[str | None, typer.Option(help="Context of the kubeconfig.")] = None,
    kubeconfig: Annotated[Path | None, typer.Option(help="Path of the kubeconfig.")] = None,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="text, or json: an object on a line for each.")
    ] = Output.TEXT,
) -> None:
    """Delete the SafeRollouts and give every Deployment back as its user has it.

    An operator that runs does it when they are deleted. Where none reacts, this command does it itself and
    takes the finalizers off: of SafeRollouts that hang in deletion too, and where nothing but notes on
    Deployments is left of them. AWS is not asked. Run it before the operator, its roles and the CRD are
    deleted; or afterwards, if that was done first.

    Exit codes:

    0 nothing of the operator's is left, or it was a dry run.

    1 something could not be given back; it is safe to run the command again.

    2 wrong usage.

    4 the API server cannot be reached, or refuses.
    """
    if everywhere == (namespace is not None):
        raise typer.BadParameter("either --namespace or --all")
    logging.disable()  # what goes wrong is said in a sentence, or by the exit
    order = Order(namespace, kubeconfig, context, patience, dry_run)
    try:
        code = run_until_signalled(_uninstall(order, output))
    except UnreachableError as error:
        _say(f"error: {error}")
        code = Exit.UNREACHABLE
    raise typer.Exit(code)


async def _uninstall(order: Order, output: Output) -> int:
    code = Exit.OK
    async with connected(order.kubeconfig, order.context) as connection:
        try:
            async for each in _ends(Scope(connection.api, order.namespace), order):
                typer.echo(_line(each) if output is Output.TEXT else orjson.dumps(_record(each)))
                code = Exit.LEFT if each.outcome is Outcome.LEFT else code
        except Refused as error:
            raise UnreachableError(f"the API server refused: {error}") from error
        except FAILURES as error:
            raise UnreachableError(why(error, connection.api.configuration.host)) from error
    return code


async def _ends(scope: Scope, order: Order) -> AsyncIterator[Ended]:
    if order.dry_run:
        for each in await found(scope):
            yield each
    else:
        async for each in uninstalled(scope, order.patience, _say):
            yield each


def _say(text: str) -> None:
    typer.echo(plain(text), err=True)


def _line(ended: Ended) -> str:
    of = f" of saferollout/{ended.rollout}" if ended.rollout else ""
    what = f"{ended.namespace}: deployment/{ended.deployment}{of}: {_SAID[ended.outcome]}"
    return plain(f"{what}: {ended.message}" if ended.message else what)


def _record(ended: Ended) -> dict[str, str]:
    return {("safeRollout" if name == "rollout" else name): value for name, value in asdict(ended).items()}
