"""The same app as a Ray Serve deployment: replicas that come and go with the load.

`build` is the import path of Serve's config files (`moodlens.server.on_ray:build`), and what
`moodlens serve --engine ray` runs. Each replica holds the whole app: gate, queue, lens, and the
classifier that takes the faces of concurrent requests together, so a picture crosses from one
process to another once, from Serve's proxy to the replica.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from moodlens.errors import MoodlensError, SettingsError
from moodlens.ray_cluster import join, need_ray
from moodlens.server.app import create_app
from moodlens.server.logs import configure
from moodlens.server.measures import Measures
from moodlens.server.settings import ServerSettings, load_settings

NAME = "moodlens"
TELL_EVERY_S = 5.0
READY_WITHIN_S = 300.0


class ReplicaOptions(BaseModel):
    """What a Serve config file may give as `args`; `moodlens serve` fills it from its options."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    model: str | None = Field(default=None, description="a model SPEC that every node can reach")
    detector: str | None = Field(default=None, description="auto, moodlens, yunet or haar")
    min_replicas: int = Field(default=1, ge=1)
    max_replicas: int = Field(default=1, ge=1)
    cpus: float = Field(default=1.0, gt=0, description="of one replica")
    busy: float = Field(
        default=6.0, gt=0, description="requests in work for each replica that autoscaling aims at"
    )
    upscale_delay_s: float = Field(default=5.0, ge=0)
    downscale_delay_s: float = Field(default=120.0, ge=0)
    log_level: str = "info"
    settings: dict[str, Any] = Field(
        default_factory=dict, description="fields of ServerSettings; else the environment's"
    )


def build(given: ReplicaOptions | dict[str, Any]) -> Any:
    """The Serve application; Serve gives the `args` of its config file as a dict.

    Raises:
        SettingsError: a setting makes no sense.
    """
    serve = need_ray("ray.serve").serve
    try:
        args = ReplicaOptions.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsError(f"args, {first['loc'][0]}: {first['msg']}") from error
    settings = settings_of(args)
    if args.max_replicas < args.min_replicas:
        raise SettingsError(f"replicas: at most {args.max_replicas}, at least {args.min_replicas}?")

    @serve.ingress(None)
    class Replica:
        """One process with the whole app."""

        def __serve_build_asgi_app__(self) -> FastAPI:
            configure(args.log_level)
            self._app = create_app(
                settings, model=args.model, detector=args.detector, send_id=False
            )
            self._telling = asyncio.get_running_loop().create_task(
                tell_ray(self._app.state.measures)
            )
            return self._app

        def check_health(self) -> None:
            """Serve replaces a replica for which this raises."""
            if self._app.state.engine is None:
                raise RuntimeError("the networks are not loaded")

    return serve.deployment(
        Replica,
        name=NAME,
        # the gate must see a request to refuse it; a stream counts as a request while it is open
        max_ongoing_requests=2 * settings.room + settings.max_streams,
        ray_actor_options={"num_cpus": args.cpus},
        autoscaling_config={
            "min_replicas": args.min_replicas,
            "max_replicas": args.max_replicas,
            "target_ongoing_requests": args.busy,
            "upscale_delay_s": args.upscale_delay_s,
            "downscale_delay_s": args.downscale_delay_s,
        },
        graceful_shutdown_timeout_s=settings.timeout_s + 5,
        graceful_shutdown_wait_loop_s=0.5,
    ).bind()


def settings_of(args: ReplicaOptions) -> ServerSettings:
    """Of a replica: a call of the network for each of its cores, three threads that gather faces.

    Raises:
        SettingsError: a setting makes no sense.
    """
    share = max(1, round(args.cpus))
    given: dict[str, Any] = {"workers": share + 3, "batch_calls": share} | args.settings
    unknown = sorted(set(given) - set(ServerSettings.model_fields))
    if unknown:
        raise SettingsError(f"settings: there is no {unknown[0]}")
    return load_settings(**given)


async def tell_ray(measures: Measures) -> None:
    """A replica's figures in Ray's own metrics, from time to time, until it ends.

    `/metrics` is that of whichever replica is asked; Ray's endpoint on each node has all of them,
    under the same names with `ray_` before, and with Serve's labels of deployment and replica.
    """
    from ray.serve.metrics import Gauge

    gauges: dict[str, Any] = {}
    while True:
        for family in measures.registry.collect():
            for sample in family.samples:
                if sample.name.endswith("_created"):
                    continue
                if sample.name not in gauges:
                    gauges[sample.name] = Gauge(
                        sample.name, description=family.documentation, tag_keys=tuple(sample.labels)
                    )
                gauges[sample.name].set(sample.value, tags=dict(sample.labels))
        await asyncio.sleep(TELL_EVERY_S)


def start(options: ReplicaOptions, *, address: str | None, host: str, port: int) -> bool:
    """Run the app on a cluster, or replace the one that runs there, replica by replica.

    Args:
        options: see `ReplicaOptions`.
        address: `auto`, `HOST:PORT` or `ray://…`; None: a cluster of this process, on loopback.
        host, port: where Serve's proxies listen, if Serve does not run there already.

    Returns:
        Whether the cluster is this process's own, and ends with `stop`.

    Raises:
        SettingsError: there is no cluster at that address, or a setting makes no sense.
        MoodlensError: the replicas do not become ready.
    """
    ray = need_ray("ray.serve", alone=address is None)
    serve = ray.serve
    application = build(options)
    mine = join(ray, address, options.max_replicas * options.cpus + 1) and address is None
    try:
        serve.start(http_options={"host": host, "port": port})
        serve.run(application, name=NAME, route_prefix="/")
        wait_until_running(serve)
    except Exception as error:
        if mine:
            stop()
        if isinstance(error, MoodlensError):
            raise
        text = (str(error).splitlines() or [type(error).__name__])[0]
        raise MoodlensError(f"Ray Serve could not run the app: {text}") from error
    return mine


def wait_until_running(serve: Any) -> None:
    """Until every replica has the new version.

    Raises:
        MoodlensError: it failed, or took longer than five minutes.
    """
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until:
        found = serve.status().applications[NAME]
        if found.status == "RUNNING":
            return
        if found.status == "DEPLOY_FAILED":
            raise MoodlensError(f"Ray Serve could not run the app: {found.message}")
        time.sleep(0.2)
    raise MoodlensError(f"the replicas were not ready within {READY_WITHIN_S:g} s")


def stop() -> None:
    """End the app, when it has finished what it accepted, and this process's cluster."""
    ray = need_ray("ray.serve")
    ray.serve.delete(NAME)  # waits for what was accepted
    ray.shutdown()
