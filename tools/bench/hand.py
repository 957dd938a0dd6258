"""Starts the same containers with direct API calls in the best order, as the lower bound for any tool.

What to create is taken beforehand from the containers that spc made. Then: a thread for each container, all calls to the
engine as soon as they can be made, and a look every 20 ms whether a container is ready. Which order is best is not clear
beforehand, where processors are few, so there are two: all at once, or first the chain that others wait for.
"""

import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from engine import Engine
from ready import TESTS, passes

PAUSE_SECONDS = 0.02
LIMIT_SECONDS = 120
SECRETS = "/run/secrets"
# Settings that the engine assigns itself.
OF_THE_ENGINE = ("Hostname", "Domainname", "MacAddress")


@dataclass
class Container:
    service: str
    name: str
    body: dict
    # Service → condition.
    depends: dict
    # A tar file with the secrets, if it has any.
    secrets: bytes
    created: threading.Event = field(default_factory=threading.Event)
    started: threading.Event = field(default_factory=threading.Event)
    ready: threading.Event = field(default_factory=threading.Event)
    # Seconds since the start: start called, start returned, ready.
    times: dict = field(default_factory=dict)


class Recipe:
    """The networks, volumes and containers of a project, renamed to another project."""

    def __init__(self, project, other):
        self.engine = Engine()
        self.renamed = lambda data: json.loads(json.dumps(data).replace(project, other))
        self.filters = "filters=" + json.dumps({"label": [f"com.docker.compose.project={project}"]}).replace(" ", "").replace('"', "%22")
        self.networks = [self.network(network["Id"]) for network in self.engine.call("GET", f"/networks?{self.filters}")]
        self.volumes = [self.volume(volume) for volume in self.engine.call("GET", f"/volumes?{self.filters}")["Volumes"]]
        self.containers = [self.container(found["Id"]) for found in self.engine.call("GET", f"/containers/json?all=1&{self.filters}")]
        unknown = {container["service"] for container in self.containers} - TESTS.keys()
        if unknown:
            raise SystemExit(f"bench: ready.py has no test for {', '.join(sorted(unknown))}")

    def network(self, name):
        found = self.engine.call("GET", f"/networks/{name}")
        return self.renamed({key: found[key] for key in ("Name", "Driver", "IPAM", "Options", "Labels")})

    def volume(self, found):
        return self.renamed({"Name": found["Name"], "Driver": found["Driver"], "DriverOpts": found["Options"] or {}, "Labels": found["Labels"]})

    def container(self, name):
        found = self.engine.call("GET", f"/containers/{name}/json")
        labels = found["Config"]["Labels"]
        networks = {
            network: {"Aliases": [alias for alias in settings["Aliases"] or [] if not found["Id"].startswith(alias)]}
            for network, settings in found["NetworkSettings"]["Networks"].items()
        }
        body = {key: value for key, value in found["Config"].items() if key not in OF_THE_ENGINE}
        body |= {"HostConfig": found["HostConfig"], "NetworkingConfig": {"EndpointsConfig": networks}}
        has_secrets = any(re.fullmatch(r"\w+_FILE=/run/secrets/.*", variable) for variable in found["Config"]["Env"])
        return {
            "service": labels["com.docker.compose.service"],
            "name": self.renamed(found["Name"].lstrip("/")),
            "body": self.renamed(body),
            "depends": dict(part.split(":")[:2] for part in labels.get("com.docker.compose.depends_on", "").split(",") if part),
            "secrets": self.engine.call("GET", f"/containers/{name}/archive?path={SECRETS}") if has_secrets else b"",
        }


class Start:
    """One cold start, in one of the two orders."""

    def __init__(self, recipe, chain_first):
        self.recipe = recipe
        self.chain_first = chain_first
        self.engine = recipe.engine
        self.containers = {part["service"]: Container(**part) for part in recipe.containers}
        self.failed = threading.Event()
        self.begun = 0.0

    def up(self):
        """Starts everything. Returns the seconds until all containers are ready."""
        self.begun = time.perf_counter()
        with ThreadPoolExecutor(len(self.containers)) as pool:
            made = [pool.submit(self.engine.call, "POST", "/networks/create", network) for network in self.recipe.networks]
            made += [pool.submit(self.engine.call, "POST", "/volumes/create", volume) for volume in self.recipe.volumes]
            for one in made:
                one.result()
            for one in [pool.submit(self.bring_up, container) for container in self.containers.values()]:
                one.result()
        return time.perf_counter() - self.begun

    def bring_up(self, container):
        try:
            for other in self.roots():
                if container.depends:
                    self.wait_for(other.started)
            self.create(container)
            for service, condition in container.depends.items():
                other = self.containers[service]
                self.wait_for(other.started if condition == "service_started" else other.ready)
            for leader in self.leaders(container):
                self.wait_for(leader.started)
            self.start(container)
            self.poll(container)
        except BaseException:
            self.failed.set()
            raise

    def roots(self):
        return [container for container in self.containers.values() if not container.depends]

    def leaders(self, container):
        """The containers that may start at the same time as this one, but that others wait for."""
        waited_for = {service for other in self.containers.values() for service in other.depends}
        if not self.chain_first or not container.depends or container.service in waited_for:
            return []
        return [other for other in self.containers.values() if other.depends == container.depends and other.service in waited_for]

    def wait_for(self, event):
        end = time.perf_counter() + LIMIT_SECONDS
        while not event.wait(1):
            if self.failed.is_set() or time.perf_counter() > end:
                raise SystemExit("bench: by hand, a container did not get so far; see the engine")

    def create(self, container):
        self.engine.call("POST", f"/containers/create?name={container.name}", container.body)
        if container.secrets:
            self.engine.call("PUT", f"/containers/{container.name}/archive?path=/run", archive=container.secrets)

    def start(self, container):
        container.times["start"] = time.perf_counter() - self.begun
        self.engine.call("POST", f"/containers/{container.name}/start")
        container.times["started"] = time.perf_counter() - self.begun
        container.started.set()

    def poll(self, container):
        found = self.engine.call("GET", f"/containers/{container.name}/json")
        (network,) = found["NetworkSettings"]["Networks"].values()
        end = time.perf_counter() + LIMIT_SECONDS
        while not passes(container.service, network["IPAddress"], found["State"]["Pid"]):
            if self.failed.is_set() or time.perf_counter() > end:
                raise SystemExit(f"bench: by hand, {container.service} did not get ready")
            time.sleep(PAUSE_SECONDS)
        container.times["ready"] = time.perf_counter() - self.begun
        container.ready.set()

    def timeline(self):
        """One line per container, sorted by start time."""
        order = sorted(self.containers.values(), key=lambda container: container.times["start"])
        moments = (("start", "start called"), ("started", "returned"), ("ready", "ready"))
        return [f"  {it.service:14} " + ", ".join(f"{said} {it.times[key]:6.2f} s" for key, said in moments) for it in order]


def remove(engine, recipe):
    """Removes everything that a start created. Not measured, because it stops no container gracefully."""
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(engine.call, "DELETE", f"/containers/{part['name']}?force=1&v=1") for part in recipe.containers]:
            done.result()
    for volume in recipe.volumes:
        engine.call("DELETE", f"/volumes/{volume['Name']}")
    for network in recipe.networks:
        engine.call("DELETE", f"/networks/{network['Name']}")
