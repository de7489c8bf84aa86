"""``saferollout run``: the operator."""

from __future__ import annotations

import asyncio
import logging
from enum import StrEnum
from typing import Annotated, Any

import kopf
import typer
from pydantic import ValidationError

from saferollout.api.plain import plain
from saferollout.options import Options
from saferollout.reach import UnreachableError, connected


class LogFormat(StrEnum):
    """How log lines are written."""

    TEXT = "text"
    JSON = "json"


_FORMATS = {LogFormat.TEXT: kopf.LogFormat.FULL, LogFormat.JSON: kopf.LogFormat.JSON}


def _option(field: str, *names: str) -> Any:
    """Return an option that says of itself what the setting says."""
    return typer.Option(*names, help=Options.model_fields[field].description, show_default=False)


def run(  # noqa: PLR0913, PLR0917 - typer makes an option of every parameter
    namespaces: Annotated[list[str] | None, _option("namespaces", "--namespace", "-n")] = None,
    poll_interval: Annotated[float | None, _option("poll_interval")] = None,
    describe_rate: Annotated[float | None, _option("describe_rate")] = None,
    least_fence: Annotated[float | None, _option("least_fence")] = None,
    settle: Annotated[float | None, _option("settle")] = None,
    elect: Annotated[bool | None, _option("elect", "--elect/--no-elect")] = None,
    lease_namespace: Annotated[str | None, _option("lease_namespace")] = None,
    lease_name: Annotated[str | None, _option("lease_name")] = None,
    lease_duration: Annotated[int | None, _option("lease_duration")] = None,
    renew_deadline: Annotated[float | None, _option("renew_deadline")] = None,
    renew_interval: Annotated[float | None, _option("renew_interval")] = None,
    guard_interval: Annotated[float | None, _option("guard_interval")] = None,
    listen: Annotated[str | None, _option("listen")] = None,
    port: Annotated[int | None, _option("port")] = None,
    log_format: Annotated[LogFormat, typer.Option(help="How log lines are written.")] = LogFormat.TEXT,
) -> None:
    """Run the operator until SIGTERM or Ctrl-C.

    It finds the cluster as kubectl does, or as a pod does, and AWS as boto3 does. Options can be given as
    environment variables too: SAFEROLLOUT_POLL_INTERVAL=2 SAFEROLLOUT_NAMESPACES=shop,web.
    """
    given = {
        "namespaces": tuple(namespaces or ()) or None,
        "poll_interval": poll_interval,
        "describe_rate": describe_rate,
        "least_fence": least_fence,
        "settle": settle,
        "elect": elect,
        "lease_namespace": lease_namespace,
        "lease_name": lease_name,
        "lease_duration": lease_duration,
        "renew_deadline": renew_deadline,
        "renew_interval": renew_interval,
        "guard_interval": guard_interval,
        "listen": listen,
        "port": port,
    }
    try:
        settings = Options.from_environment().model_dump()
        settings |= {name: value for name, value in given.items() if value is not None}
        options = Options.model_validate(settings)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, each['loc'])) or 'settings'}: {each['msg']}" for each in error.errors()
        )
        raise typer.BadParameter(wrong) from error
    kopf.configure(log_format=_FORMATS[log_format])
    for others in ("kopf", "botocore"):
        logging.getLogger(others).setLevel(logging.WARNING)
    try:
        asyncio.run(_find_cluster())
    except UnreachableError as error:
        typer.echo(f"saferollout: {plain(str(error))}", err=True)
        raise typer.Exit(1) from error
    kopf.run(
        registry=_registry(),
        memo=kopf.Memo(options=options),
        clusterwide=not options.namespaces,
        namespaces=options.namespaces,
        standalone=True,
    )


async def _find_cluster() -> None:
    """Fail at once, and in a sentence, where no cluster is known.

    Raises:
        UnreachableError: No cluster is known.
    """
    async with connected(kubeconfig=None, context=None):
        pass


def _registry() -> kopf.OperatorRegistry:
    """Return kopf's registry with our handlers in it."""
    import saferollout.handlers  # noqa: F401, PLC0415 - importing is how kopf learns of them

    return kopf.get_default_registry()
