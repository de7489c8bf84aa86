"""Finding a cluster as kubectl does, and saying in a sentence why it cannot be reached."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import aiohttp
import orjson
import yaml
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.utils import Backoff

TIMEOUT = 10.0
"""Seconds that the API server has for its first answer."""

_READ_AGAIN = Backoff(steps=4, duration=0.0, factor=1.0)
"""A server that has too much to do says when to ask again: one read is asked so often (429, 5xx).

Of a look at many things at once there would else be one too many that is refused, turn after turn.
"""

_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class UnreachableError(Exception):
    """There is no cluster to talk to, or it does not answer, or refuses: the message says it to people."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A client of the Kubernetes API, and the namespace that is meant when none is named."""

    api: ApiClient
    namespace: str


@asynccontextmanager
async def connected(
    kubeconfig: Path | None, context: str | None, traces: Sequence[aiohttp.TraceConfig] = ()
) -> AsyncIterator[Connection]:
    """Connect as kubectl would: by the kubeconfig given or found, else by the service account of a pod.

    ``traces`` are told of every request (`saferollout.term`).

    Raises:
        UnreachableError: There is neither, or it is of no use.
    """
    configuration = Configuration()
    configuration.trace_configs = list(traces)
    configuration.client_go_retries = True
    configuration.client_go_retry_backoff = _READ_AGAIN  # type: ignore[assignment] # as it ships
    namespace = await _by_kubeconfig(configuration, kubeconfig, context)
    if namespace is None:
        namespace = _by_service_account(configuration)
    async with ApiClient(configuration) as api:
        yield Connection(api, namespace)


async def _by_kubeconfig(configuration: Configuration, path: Path | None, context: str | None) -> str | None:
    """Configure from a kubeconfig and return its context's namespace, ``None`` if there is no kubeconfig."""
    try:
        loader = await config.load_kube_config(
            config_file=str(path) if path else os.environ.get("KUBECONFIG"),
            context=context,
            client_configuration=configuration,
        )
    except (config.ConfigException, yaml.YAMLError, OSError) as error:
        if path is not None or context is not None:
            raise UnreachableError(f"the kubeconfig is of no use: {error}") from error
        return None
    return str(loader.current_context["context"].get("namespace") or "default")


def _by_service_account(configuration: Configuration) -> str:
    try:
        config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException as error:
        raise UnreachableError("no cluster is known: set KUBECONFIG") from error
    return _POD_NAMESPACE.read_text().strip()


def why(error: Exception, host: str) -> str:
    """Say in a sentence why a request failed."""
    if not isinstance(error, ApiException):
        because = (
            "it did not answer in time" if isinstance(error, TimeoutError) else str(error) or repr(error)
        )
        return f"the Kubernetes API at {host} cannot be reached: {because}"
    if error.status == HTTPStatus.UNAUTHORIZED:
        return f"the Kubernetes API at {host} does not accept the credentials of the kubeconfig"
    return f"the Kubernetes API at {host} refused: {_message(error)}"


def _message(error: ApiException) -> str:
    try:
        return str(orjson.loads(error.body or "")["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return f"{error.status} {error.reason}"


FAILURES = (ApiException, aiohttp.ClientError, OSError, TimeoutError)
"""What a request may raise that `why` can explain."""
