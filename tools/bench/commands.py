"""Shared by all measurements: runs a command to its end, and checks that a project left nothing behind."""

import argparse
import subprocess
import time
from pathlib import Path

LIMIT_SECONDS = 300


class Commands:
    def __init__(self, options):
        self.docker = [options.docker]
        self.work = options.work
        self.log = open(options.work / "commands.log", "ab", buffering=0)

    def run(self, command, output=None):
        """Runs a command to its end. Returns seconds and bytes of peak memory. Output goes to the log, or standard output to a file.

        GNU time asks the kernel for the peak: started from here directly, the process would inherit Python's own.
        """
        peak = self.work / "peak"
        self.log.write(f"\n$ {' '.join(command)}\n".encode())
        with open(output, "wb") if output else open(self.log.fileno(), "wb", closefd=False) as out:
            started = time.perf_counter()
            ended = subprocess.run(
                ["/usr/bin/time", "--quiet", "--format=%M", f"--output={peak}", *command],
                cwd=self.work, stdin=subprocess.DEVNULL, stdout=out, stderr=self.log, timeout=LIMIT_SECONDS, check=False,
            )
            seconds = time.perf_counter() - started
        self.log.write(f"-> {ended.returncode} after {seconds:.3f} s\n".encode())
        if ended.returncode != 0:
            where = f"\"{self.log.name}\"" + (f" and \"{output}\"" if output else "")
            raise SystemExit(f"bench: \"{' '.join(command)}\" ended with {ended.returncode}; its output is at the end of {where}")
        return seconds, int(peak.read_text().split()[-1]) * 1024

    def nothing_left(self, project):
        """Ends the measurement if a container, volume or network of a project is still there."""
        for kind in ("ps --all", "volume ls", "network ls"):
            command = [*self.docker, *kind.split(), "--quiet", "--filter", f"label=com.docker.compose.project={project}"]
            left = subprocess.check_output(command, text=True)
            if left:
                raise SystemExit(f"bench: {project} is down and left something, see `docker {kind}`: {left.split()}")


def arguments(doc):
    """The options that tools/bench.sh passes to each measurement."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    for name in ("spc", "compose", "docker", "name"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--work", required=True, type=Path, help="folder of spc.toml, for logs too")
    parser.add_argument("--directory", required=True, type=Path, help="Compose's project directory")
    parser.add_argument("--compose-file", required=True)
    parser.add_argument("--port", required=True, type=int, help="where the health API answers")
    parser.add_argument("--rounds", required=True, type=int)
    parser.add_argument("--repeats", type=int, default=3, help="`up` with nothing to do, per round")
    parser.add_argument("--figures", required=True, type=Path, help="where every measured value goes, as JSON")
    return parser
