#!/usr/bin/env python3
"""Three services: runs spc and docker compose in turn, A B A B, and prints what each figure was.

Called by tools/bench.sh, which makes the project folder, and the network this runs in.
"""

import json
import os
import sys
import time
import urllib.request

from commands import Commands, arguments
from compared import containers, differences
from figures import Figures

SIDES = ("spc", "compose")


class Bench:
    def __init__(self, options):
        self.options = options
        self.project = {side: f"{options.name}-{side}" for side in SIDES}
        self.figures = Figures(SIDES)
        self.engine = Commands(options)
        spc, compose = [options.spc], [options.compose]
        stack = [*spc, "--project", self.project["spc"], "run"]
        project = [*compose, "--project-name", self.project["compose"], "--project-directory", str(options.directory), "--file", options.compose_file]
        self.commands = {
            "version": {"spc": [*spc, "--version"], "compose": [*compose, "version"]},
            "empty": {"spc": [*spc, "run", "scripts/empty.rhai"]},
            "up": {"spc": [*stack, "scripts/up.rhai", "backend"], "compose": [*project, "up", "--detach", "--wait", "backend"]},
            "down": {"spc": [*stack, "scripts/down.rhai", "--volumes", "--yes"], "compose": [*project, "down", "--volumes"]},
        }

    def short(self, what, side):
        """The seconds of a command that is too short for GNU time, because the start of GNU time would count."""
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
        """Checks that the health API answers as soon as `up` has ended."""
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
                    self.figures.add(name, "ms", side, self.short(what, side))

    def round(self):
        made = {}
        for side in SIDES:
            seconds, peak = self.engine.run(self.commands["up"][side])
            self.check_ready(side)
            self.figures.add("up, cold", "s", side, seconds)
            self.figures.add("up, cold: peak memory", "MB", side, peak)
            made[side] = containers([self.options.docker], self.project[side])
            for _ in range(self.options.repeats):
                seconds, peak = self.engine.run(self.commands["up"][side])
                self.figures.add("up, nothing to do", "s", side, seconds)
                self.figures.add("up, nothing to do: peak memory", "MB", side, peak)
            self.unchanged(side, made[side])
            seconds, _ = self.engine.run(self.commands["down"][side])
            self.figures.add("down -v", "s", side, seconds)
            self.engine.nothing_left(self.project[side])
        found = differences(made["spc"], made["compose"])
        if found:
            raise SystemExit("bench: spc and compose did not make the same containers:\n  " + "\n  ".join(found))

    def unchanged(self, side, made):
        if containers([self.options.docker], self.project[side]).keys() != made.keys() or len(made) != 3:
            raise SystemExit(f"bench: {side} was to run three services, there are: {', '.join(made) or 'none'}")

    def sizes(self):
        for side, path in (("spc", self.options.spc), ("compose", self.options.compose)):
            self.figures.add("program's size", "MB", side, os.stat(path).st_size)


def main():
    parser = arguments(__doc__)
    parser.add_argument("--starts", type=int, default=50, help="of the short commands")
    options = parser.parse_args()
    bench = Bench(options)
    bench.sizes()
    bench.starts()
    before = os.getloadavg()[0]
    done = 0
    try:
        for done in range(1, options.rounds + 1):
            bench.round()
            shown = ", ".join(f"{side} {bench.figures.last('up, cold', side):.2f} s" for side in SIDES)
            print(f"bench: pair {done} of {options.rounds}: {shown}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"bench: interrupted in pair {done}; what was measured until then:", file=sys.stderr)
    print(f"load average (1 min): {before:.1f} before, {os.getloadavg()[0]:.1f} after, {os.cpu_count()} processors")
    bench.figures.print()
    bench.figures.write(options.figures)


if __name__ == "__main__":
    main()
