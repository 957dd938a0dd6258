#!/usr/bin/env python3
"""Runs spc and docker compose in turn, A B A B, and prints each figure's minimum, median, maximum and ratio.

Called by tools/bench.sh, which makes the project folder, and the network this runs in.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from compared import containers, differences

SIDES = ("spc", "compose")
LIMIT_SECONDS = 300


@dataclass
class Figure:
    name: str
    unit: str
    values: dict = field(default_factory=lambda: {side: [] for side in SIDES})

    def row(self):
        cells = [self.name]
        for side in SIDES:
            values = self.values[side]
            cells.append(" / ".join(shown(value, self.unit) for value in (min(values), statistics.median(values), max(values))) if values else "-")
        pairs = [compose / spc for spc, compose in zip(*(self.values[side] for side in SIDES)) if spc]
        cells.append(f"{statistics.median(pairs):.1f} ({min(pairs):.1f} to {max(pairs):.1f})" if pairs else "-")
        cells.append(str(max(len(values) for values in self.values.values())))
        return cells


def shown(value, unit):
    return {"s": f"{value:.2f} s", "ms": f"{value * 1000:.1f} ms", "MB": f"{value / 1e6:.1f} MB"}[unit]


class Bench:
    def __init__(self, options):
        self.options = options
        self.docker = [options.docker]
        self.project = {side: f"{options.name}-{side}" for side in SIDES}
        self.figures = {}
        self.log = open(options.work / "commands.log", "ab", buffering=0)
        spc, compose = [options.spc], [options.compose]
        stack = [*spc, "--project", self.project["spc"], "run"]
        files = [argument for file in options.compose_file for argument in ("--file", file)]
        project = [*compose, "--project-name", self.project["compose"], "--project-directory", str(options.directory), *files]
        self.commands = {
            "version": {"spc": [*spc, "--version"], "compose": [*compose, "version"]},
            "empty": {"spc": [*spc, "run", "scripts/empty.rhai"]},
            "up": {"spc": [*stack, "scripts/up.rhai", "backend"], "compose": [*project, "up", "--detach", "--wait", "backend"]},
            "down": {"spc": [*stack, "scripts/down.rhai", "--volumes", "--yes"], "compose": [*project, "down", "--volumes"]},
        }

    def add(self, name, unit, side, value):
        self.figures.setdefault(name, Figure(name, unit)).values[side].append(value)

    def run(self, what, side):
        """Runs to the end; seconds, and bytes of peak memory.

        GNU time asks the kernel for the peak: started from here directly, the process would inherit Python's own.
        """
        command, peak = self.commands[what][side], self.options.work / "peak"
        self.log.write(f"\n$ {' '.join(command)}\n".encode())
        started = time.perf_counter()
        ended = subprocess.run(
            ["/usr/bin/time", "--quiet", "--format=%M", f"--output={peak}", *command],
            cwd=self.options.work, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, timeout=LIMIT_SECONDS, check=False,
        )
        seconds = time.perf_counter() - started
        self.log.write(f"-> {ended.returncode} after {seconds:.3f} s\n".encode())
        if ended.returncode != 0:
            raise SystemExit(f"bench: \"{' '.join(command)}\" ended with {ended.returncode}; its output is at the end of \"{self.log.name}\"")
        return seconds, int(peak.read_text().split()[-1]) * 1024

    def short(self, what, side):
        """Seconds of a command so short that starting GNU time would be seen."""
        command = self.commands[what][side]
        started = time.perf_counter()
        child = os.posix_spawn(command[0], command, os.environ, file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
        ])
        _, status = os.waitpid(child, 0)
        seconds = time.perf_counter() - started
        if status != 0:
            raise SystemExit(f"bench: \"{' '.join(command)}\" failed")
        return seconds

    def check_ready(self, side):
        """The moment `up` ends the health API must answer, or `up` was not true."""
        url = f"http://127.0.0.1:{self.options.port}/api/health/"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                healthy = json.load(answer) == {"status": "healthy", "database": "connected", "redis": "connected"}
        except (OSError, ValueError) as error:
            raise SystemExit(f"bench: {side} said ready, but the health API did not answer: {error}") from error
        if not healthy:
            raise SystemExit(f"bench: {side} said ready, but the health API says otherwise")

    def starts(self):
        os.chdir(self.options.work)
        self.commands["floor"] = {side: ["/bin/true"] for side in SIDES}
        names = {"floor": "start of /bin/true, the floor", "version": "--version", "empty": "empty script"}
        for _ in range(self.options.starts):
            for what, name in names.items():
                for side in self.commands[what]:
                    self.add(name, "ms", side, self.short(what, side))

    def round(self):
        made = {}
        for side in SIDES:
            seconds, peak = self.run("up", side)
            self.check_ready(side)
            self.add("up, cold", "s", side, seconds)
            self.add("up, cold: peak memory", "MB", side, peak)
            made[side] = containers(self.docker, self.project[side])
            for _ in range(self.options.repeats):
                seconds, peak = self.run("up", side)
                self.add("up, nothing to do", "s", side, seconds)
                self.add("up, nothing to do: peak memory", "MB", side, peak)
            self.unchanged(side, made[side])
            seconds, _ = self.run("down", side)
            self.add("down -v", "s", side, seconds)
            self.gone(side)
        found = differences(made["spc"], made["compose"])
        if found:
            raise SystemExit("bench: spc and compose did not make the same containers:\n  " + "\n  ".join(found))

    def unchanged(self, side, made):
        if containers(self.docker, self.project[side]).keys() != made.keys() or len(made) != 3:
            raise SystemExit(f"bench: {side} was to run three services, there are: {', '.join(made) or 'none'}")

    def gone(self, side):
        for kind in ("ps --all", "volume ls", "network ls"):
            left = subprocess.check_output([*self.docker, *kind.split(), "--quiet", "--filter", f"label=com.docker.compose.project={self.project[side]}"], text=True)
            if left:
                raise SystemExit(f"bench: {side}'s down left something, see `docker {kind}`: {left.split()}")

    def sizes(self):
        for side, path in (("spc", self.options.spc), ("compose", self.options.compose)):
            self.add("program's size", "MB", side, os.stat(path).st_size)

    def table(self):
        rows = [["figure", "spc: min / median / max", "compose: min / median / max", "compose : spc", "n"]]
        rows += [figure.row() for figure in self.figures.values()]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("spc", "compose", "docker", "name"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--work", required=True, type=Path, help="folder of spc.toml, for logs too")
    parser.add_argument("--directory", required=True, type=Path, help="Compose's project directory")
    parser.add_argument("--compose-file", required=True, action="append")
    parser.add_argument("--port", required=True, type=int, help="of the backend")
    parser.add_argument("--rounds", required=True, type=int)
    parser.add_argument("--repeats", type=int, default=3, help="`up` with nothing to do, per round")
    parser.add_argument("--starts", type=int, default=50, help="of the short commands")
    parser.add_argument("--figures", required=True, type=Path, help="where every measured value goes, as JSON")
    return parser.parse_args()


def main():
    options = arguments()
    bench = Bench(options)
    bench.sizes()
    bench.starts()
    before = os.getloadavg()[0]
    done = 0
    try:
        for done in range(1, options.rounds + 1):
            bench.round()
            print(f"bench: pair {done} of {options.rounds}: " + ", ".join(f"{side} {bench.figures['up, cold'].values[side][-1]:.2f} s" for side in SIDES), file=sys.stderr)
    except KeyboardInterrupt:
        print(f"bench: interrupted in pair {done}; what was measured until then:", file=sys.stderr)
    print(f"load average (1 min): {before:.1f} before, {os.getloadavg()[0]:.1f} after, {os.cpu_count()} processors")
    bench.table()
    options.figures.write_text(json.dumps({name: {"unit": "byte" if figure.unit == "MB" else "s", **figure.values} for name, figure in bench.figures.items()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
