"""Checks, right after `up` has ended, that everything is really ready."""

import json
import subprocess
import urllib.request

REQUESTS = 50
HEALTHY = {"status": "healthy", "database": "connected", "redis": "connected"}
SECONDS = 15


def untrue(docker, project, port):
    """The failed checks as text: the health API through nginx, the database, and each container's health check."""
    return [*health(port), *database(docker, project), *checks(docker, project)]


def health(port):
    wrong = []
    for _ in range(REQUESTS):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health/", timeout=SECONDS) as answer:
                if json.load(answer) != HEALTHY:
                    wrong.append("the answer says otherwise")
        except (OSError, ValueError) as error:
            wrong.append(str(error))
    if wrong:
        yield f"{len(wrong)} of {REQUESTS} requests of the health API through nginx failed, the first: {wrong[0]}"


def database(docker, project):
    answer = execute(docker, f"{project}-db-1", ["psql", "-h", "127.0.0.1", "-U", "postgres", "-d", "spc_db", "-tAc", "select 20 + 3"])
    if answer.stdout.strip() != "23":
        yield f"the database did not answer: {said(answer)}"


def checks(docker, project):
    ids = subprocess.check_output([docker, "ps", "--quiet", "--filter", f"label=com.docker.compose.project={project}"], text=True).split()
    found = json.loads(subprocess.check_output([docker, "inspect", *ids])) if ids else []
    if len(found) != 9:
        yield f"{len(found)} containers run, not 9"
    for container in found:
        kind, *test = container["Config"]["Healthcheck"]["Test"]
        ended = execute(docker, container["Id"], ["/bin/sh", "-c", *test] if kind == "CMD-SHELL" else test)
        if ended.returncode != 0:
            yield f"the health check of {container['Name'].lstrip('/')} ended with {ended.returncode}: {said(ended)}"


def execute(docker, container, command):
    return subprocess.run([docker, "exec", container, *command], capture_output=True, text=True, timeout=60, check=False)


def said(ended):
    return (ended.stderr or ended.stdout).strip() or "without a word"
