"""Whether spc and docker compose made the same containers: what is measured must be the same work."""

import json
import re
import subprocess

# What an author can say of a container, as `docker inspect` has it.
CONFIG = ["Image", "Cmd", "Entrypoint", "User", "WorkingDir", "Healthcheck", "StopSignal", "StopTimeout", "ExposedPorts", "Tty", "OpenStdin"]
HOST = ["PortBindings", "LogConfig", "Init", "ReadonlyRootfs", "Privileged", "CapAdd", "CapDrop", "ShmSize", "Memory", "NanoCpus"]


def containers(docker, project):
    """The project's containers by service, each as a map of what can be compared."""
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
    """What is mounted; an anonymous volume is called another way each time."""
    name = mount.get("Name") or mount["Source"]
    return "anonymous" if re.fullmatch("[0-9a-f]{64}", name) else name


def differences(one, other):
    """A line per difference; states are left out, as spc is ready while the engine still says `starting`."""
    lines = []
    for service in sorted(one.keys() | other.keys()):
        a, b = one.get(service), other.get(service)
        if a is None or b is None:
            lines.append(f"{service}: only one of the two made it")
            continue
        lines += [f"{service}.{key}: {a[key]!r} against {b[key]!r}" for key in a if key != "State" and a[key] != b[key]]
    return lines
