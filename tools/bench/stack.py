#!/usr/bin/env python3
"""The whole reference stack in production: spc, docker compose and direct API calls, in turn.

Called by tools/bench.sh, which makes the project folder, and the network this runs in.
"""

import os
import statistics
import sys

from commands import Commands, arguments
from compared import containers, differences
from critical_path import drawn
from figures import Figures
from hand import Recipe, Start, remove
from truth import REQUESTS, untrue

# Direct API calls in two orders. The value says whether containers that others wait for start first.
HAND = {"by hand, chain first": True, "by hand, all at once": False}
COLD, AGAIN, DOWN = "up, cold", "up, nothing to do", "down -v"
# The targets.
TIMES_FASTER = 8
OVER_HAND_PART, OVER_HAND_SECONDS = 0.10, 0.3
AGAIN_SECONDS = 0.1


class Void(Exception):
    """A round in which an `up` ended before everything was ready. None of its figures count."""


class Bench:
    def __init__(self, options):
        self.options = options
        self.sides = ("spc", *(() if options.without_compose else ("compose",)), *HAND)
        self.project = {side: f"{options.name}-{'hand' if side in HAND else side}" for side in self.sides}
        self.figures = Figures(self.sides)
        self.commands = Commands(options)
        spc = [options.spc, "--project", self.project["spc"], "run"]
        compose = [options.compose, "--project-name", f"{options.name}-compose", "--project-directory", str(options.directory)]
        compose += ["--file", options.compose_file]
        self.up = {"spc": [*spc, "scripts/stack_up.rhai", "--json"], "compose": [*compose, "up", "--detach", "--wait"]}
        self.down = {"spc": [*spc, "scripts/stack_down.rhai", "--yes"], "compose": [*compose, "down", "--volumes"]}
        self.recipe = None
        # By tool and round: spc's events with the seconds of the run, or the start times of the direct API calls.
        self.told = {side: [] for side in self.sides}
        self.void = []

    def warm_up(self):
        """A round that does not count. It fills the file cache and records what the direct API calls have to create."""
        self.commands.run(self.up["spc"])
        self.recipe = Recipe(self.project["spc"], f"{self.options.name}-hand")
        self.commands.run(self.down["spc"])
        self.commands.nothing_left(self.project["spc"])

    def round(self, number):
        shift = number % len(self.sides)
        values, told, made, untruths = [], {}, {}, []
        for side in self.sides[shift:] + self.sides[:shift]:
            if side in HAND:
                start = Start(self.recipe, HAND[side])
                values.append((COLD, "s", side, start.up()))
                told[side] = start.timeline()
            else:
                events = self.options.work / f"events-{number}.jsonl" if side == "spc" else None
                seconds, peak = self.commands.run(self.up[side], events)
                values += [(COLD, "s", side, seconds), (f"{COLD}: peak memory", "MB", side, peak)]
                told[side] = (events, seconds)
            untruths += [f"{side}: {text}" for text in untrue(self.options.docker, self.project[side], self.options.port)]
            made[side] = containers([self.options.docker], self.project[side])
            if side in HAND:
                remove(self.recipe.engine, self.recipe)
            else:
                values += self.again_and_down(side, made[side])
            self.commands.nothing_left(self.project[side])
        for side in self.sides[1:]:
            found = differences(made["spc"], made[side])
            if found:
                raise SystemExit(f"bench: spc and {side} did not make the same containers:\n  " + "\n  ".join(found))
        if untruths:
            raise Void("; ".join(untruths))
        for value in values:
            self.figures.add(*value)
        for side, text in told.items():
            self.told[side].append(text)

    def again_and_down(self, side, made):
        for _ in range(self.options.repeats):
            seconds, peak = self.commands.run(self.up[side])
            yield AGAIN, "ms", side, seconds
            yield f"{AGAIN}: peak memory", "MB", side, peak
        if containers([self.options.docker], self.project[side]).keys() != made.keys():
            raise SystemExit(f"bench: {side} changed what was to stay: there were {', '.join(made)}")
        seconds, _ = self.commands.run(self.down[side])
        yield DOWN, "s", side, seconds

    def rounds(self):
        for number in range(1, self.options.rounds + 1):
            try:
                self.round(number)
                shown = ", ".join(f"{side} {self.figures.last(COLD, side):.2f} s" for side in self.sides)
            except Void as void:
                self.void.append(number)
                shown = f"VOID, none of its figures count: {void}"
            print(f"bench: round {number} of {self.options.rounds}: {shown}", file=sys.stderr)

    def report(self):
        print(f"void rounds, in which ready was not true ({REQUESTS} requests through nginx, database, each health check): {len(self.void)}")
        if COLD not in self.figures:
            return
        self.figures.print()
        print()
        for line in self.verdicts():
            print(line)
        values = self.figures[COLD].values
        every = range(len(values["spc"])) if self.options.without_compose else [middle(values["spc"])]
        for at in every:
            print(f"\nspc's run of {values['spc'][at]:.2f} s, and what decided its end:")
            print("\n".join(drawn(*self.told["spc"][at])))
        for side in HAND:
            print(f"\n{side}, the run of median length:")
            print("\n".join(self.told[side][middle(values[side])]))

    def verdicts(self):
        cold = {side: self.figures[COLD].median(side) for side in self.sides}
        best = min(HAND, key=cold.get)
        rounds = self.figures[COLD].values
        within = sum(spc <= allowed_over(hand) for spc, hand in zip(rounds["spc"], rounds[best]))
        if self.options.seed_intervals and not self.options.without_compose:
            times = cold["compose"] / cold["spc"]
            yield verdict(times >= TIMES_FASTER, f"cold: {times:.1f} times as fast as compose; to be {TIMES_FASTER}")
        allowed = allowed_over(cold[best])
        yield verdict(
            cold["spc"] <= allowed,
            f"cold: {cold['spc']:.2f} s; {best}, {cold[best]:.2f} s, so {allowed:.2f} s are allowed; kept in {within} of {len(rounds['spc'])} rounds",
        )
        again = self.figures[AGAIN].median("spc")
        yield verdict(again <= AGAIN_SECONDS, f"nothing to do: {again * 1000:.0f} ms; {AGAIN_SECONDS * 1000:.0f} ms are allowed")


def allowed_over(hand):
    return hand * (1 + OVER_HAND_PART) + OVER_HAND_SECONDS


def verdict(holds, text):
    return f"{'yes' if holds else 'NO '}  {text}"


def middle(values):
    """The index of the value closest to the median."""
    median = statistics.median(values)
    return min(range(len(values)), key=lambda index: abs(values[index] - median))


def main():
    parser = arguments(__doc__)
    parser.add_argument("--without-compose", action="store_true", help="spc and by hand alone; every run of spc is drawn")
    parser.add_argument("--seed-intervals", action="store_true", help="judge the ratio, which is meant for these")
    bench = Bench(parser.parse_args())
    before = os.getloadavg()[0]
    try:
        bench.warm_up()
        bench.rounds()
    except KeyboardInterrupt:
        print("bench: interrupted; what was measured until then:", file=sys.stderr)
    finally:
        # Also after a failed round, because the rounds before it count.
        print(f"load average (1 min): {before:.1f} before, {os.getloadavg()[0]:.1f} after, {os.cpu_count()} processors")
        bench.report()
        bench.figures.write(bench.options.figures)
    if bench.void:
        sys.exit(1)


if __name__ == "__main__":
    main()
