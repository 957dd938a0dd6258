"""Checks that spc and docker compose create the same containers, so that the measurements compare the same work."""

import json
import re
import subprocess

# The settings of a container that a description can set, as `docker inspect` names them.
CONFIG = ["Image", "Cmd", "Entrypoint", "User", "WorkingDir", "Healthcheck", "StopSignal", "StopTimeout", "ExposedPorts", "Tty", "OpenStdin"]
HOST = ["PortBindings", "LogConfig", "Init", "ReadonlyRootfs", "Privileged", "CapAdd", "CapDrop", "ShmSize", "Memory", "NanoCpus"]


def containers(docker, project):
    """The project's containers by service, each as a map of comparable settings."""
    ids = subprocess.check_output([*docker, "ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={project}"], text=True).split()
    if not ids:
        return {}
    found = json.loads(subprocess.check_output([*docker, "inspect", *ids]))
    return {container["Config"]["Labels"]["com.docker.compose.service"]: described(container, project) for container in found}


def described(container, project):
    config, host, networks = container["Config"], container["HostConfig"], container["NetworkSettings"]["Networks"]
    service = config["Labels"]["com.docker.compose.service"]
    fields = {name: config.get(name) or None for name in CONFIG} | {name: host.get(name) or None for name in HOST}
    fields["Env"] = sorted(config["Env"])
    fields["RestartPolicy"] = host["RestartPolicy"]["Name"]
    fields["Mounts"] = sorted([mount["Type"], named(mount), mount["Destination"], mount["RW"]] for mount in container["Mounts"])
    fields["Networks"] = {name: service in (network["Aliases"] or []) for name, network in networks.items()}
    fields["State"] = [container["State"]["Status"], container["State"]["Health"]["Status"] if container["State"].get("Health") else None]
    return json.loads(json.dumps(fields).replace(project, "PROJECT"))


def named(mount):
    """The source of a mount. Anonymous volumes have random names, so they all count as "anonymous"."""
    name = mount.get("Name") or mount["Source"]
    return "anonymous" if re.fullmatch("[0-9a-f]{64}", name) else name


def differences(one, other):
    """One line per difference. Ignores states, because spc may be ready while the engine still reports `starting`."""
    lines = []
    for service in sorted(one.keys() | other.keys()):
        a, b = one.get(service), other.get(service)
        if a is None or b is None:
            lines.append(f"{service}: only one of the two made it")
            continue
        lines += [f"{service}.{key}: {a[key]!r} against {b[key]!r}" for key in a if key != "State" and a[key] != b[key]]
    return lines
