"""Looks at a rollout from outside, as the contract says: the Kubernetes API and ELBv2, every 100 ms."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import aiohttp
import boto3
import orjson
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from kubernetes.aio.client import ApiClient, ApiException

from saferollout.decide.answers import Target, TargetState
from saferollout.sim.samples import Sample, SeenPod

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client

INTERVAL = 0.1
_TIMEOUT = 2.0
_REVISION_LABEL = "pod-template-hash"
_REVISION_NUMBER = "deployment.kubernetes.io/revision"
_ZONE_LABEL = "topology.kubernetes.io/zone"

_UNREACHABLE = (ApiException, aiohttp.ClientError, OSError, TimeoutError)


def elb_client(endpoint_url: str | None = None, region: str | None = None) -> ElasticLoadBalancingv2Client:
    """Make a client that answers or fails at once: the next look is 100 ms away."""
    config = Config(connect_timeout=_TIMEOUT, read_timeout=_TIMEOUT, retries={"total_max_attempts": 1})
    return boto3.session.Session().client(
        "elbv2", endpoint_url=endpoint_url, region_name=region, config=config
    )


class Observer:
    """Collects ``samples`` of one Deployment while it runs.

    ``missed`` are the looks at which the Kubernetes API did not answer: when, and why. A target group that
    does not answer leaves its sample blind.
    """

    def __init__(
        self,
        api: ApiClient,
        elb: ElasticLoadBalancingv2Client,
        namespace: str,
        deployment: str,
        target_groups: Sequence[str],
    ) -> None:
        self.samples: list[Sample] = []
        self.missed: list[tuple[float, str]] = []
        self._api = api
        self._elb = elb
        self._namespace = namespace
        self._deployment = deployment
        self._arns = tuple(target_groups)
        self._selector = ""
        self._zones: dict[str, str | None] = {}

    async def run(self) -> None:
        """Look every 100 ms until cancelled. A look that takes longer delays the next."""
        due = time.monotonic()
        while True:
            at = time.time()
            try:
                self.samples.append(await self.look())
            except _UNREACHABLE as error:
                self.missed.append((at, str(error) or repr(error)))
            due = max(due + INTERVAL, time.monotonic())
            await asyncio.sleep(due - time.monotonic())

    async def look(self) -> Sample:
        """Take one sample.

        Raises:
            ApiException: The Kubernetes API refused, for instance because there is no such Deployment.
            aiohttp.ClientError: It could not be reached.
        """
        at = time.time()
        home = f"/namespaces/{self._namespace}"
        query = [("labelSelector", await self._selected())]
        replica_sets, pods = await asyncio.gather(
            self._get(f"/apis/apps/v1{home}/replicasets", query), self._get(f"/api/v1{home}/pods", query)
        )
        await self._locate(pods["items"])
        seen = tuple(self._pod(raw) for raw in pods["items"])
        targets = await asyncio.gather(*(asyncio.to_thread(self._targets, arn) for arn in self._arns))
        return Sample(
            at, _target_revision(replica_sets["items"]), seen, dict(zip(self._arns, targets, strict=True))
        )

    async def _get(self, path: str, query: Sequence[tuple[str, str]] = ()) -> Any:
        request = await self._api.param_serialize(
            "GET",
            path,
            query_params=list(query),
            header_params={"Accept": "application/json"},
            auth_settings=["BearerToken"],
        )
        answer = await self._api.call_api(*request, _request_timeout=_TIMEOUT)
        body = await answer.response.read()
        if answer.response.status != HTTPStatus.OK:
            raise ApiException(status=answer.response.status, reason=f"{path}: {answer.response.reason}")
        return orjson.loads(body)

    async def _selected(self) -> str:
        """The Deployment's label selector; it is immutable, so it is asked for once."""
        if not self._selector:
            path = f"/apis/apps/v1/namespaces/{self._namespace}/deployments/{self._deployment}"
            labels = (await self._get(path))["spec"]["selector"]["matchLabels"]
            self._selector = ",".join(f"{name}={value}" for name, value in labels.items())
        return self._selector

    async def _locate(self, pods: Iterable[Mapping[str, Any]]) -> None:
        """Learn the zones of all Nodes when a pod is on one that has not been seen before."""
        if {name for raw in pods if (name := raw["spec"].get("nodeName"))} <= self._zones.keys():
            return
        nodes = await self._get("/api/v1/nodes")
        self._zones = {
            raw["metadata"]["name"]: (raw["metadata"].get("labels") or {}).get(_ZONE_LABEL)
            for raw in nodes["items"]
        }

    def _pod(self, raw: Mapping[str, Any]) -> SeenPod:
        meta, spec, status = raw["metadata"], raw["spec"], raw.get("status") or {}
        labels = meta.get("labels") or {}
        return SeenPod(
            name=meta["name"],
            revision=labels.get(_REVISION_LABEL, ""),
            zone=labels.get(_ZONE_LABEL) or self._zones.get(spec.get("nodeName", "")),
            address=status.get("podIP"),
            ports=tuple(
                port["containerPort"] for each in spec["containers"] for port in each.get("ports") or ()
            ),
            ready=any(
                each["type"] == "Ready" and each["status"] == "True"
                for each in status.get("conditions") or ()
            ),
            terminating="deletionTimestamp" in meta,
        )

    def _targets(self, arn: str) -> tuple[Target, ...] | None:
        try:
            reply = self._elb.describe_target_health(TargetGroupArn=arn)
        except (BotoCoreError, ClientError):
            return None
        return tuple(
            Target(each["Target"]["Id"], each["Target"]["Port"], TargetState(each["TargetHealth"]["State"]))
            for each in reply["TargetHealthDescriptions"]
        )


def _target_revision(replica_sets: Iterable[Mapping[str, Any]]) -> str | None:
    """The revision of the ReplicaSet that the Deployment controller numbered last."""
    newest = max(replica_sets, key=_number, default=None)
    return None if newest is None else newest["metadata"]["labels"][_REVISION_LABEL]


def _number(replica_set: Mapping[str, Any]) -> int:
    return int((replica_set["metadata"].get("annotations") or {}).get(_REVISION_NUMBER, 0))
