#!/usr/bin/env python3
"""Draws the critical path of a run of spc from its events.

    spc run scripts/up.rhai --json >events.jsonl && tools/bench/critical_path.py events.jsonl

From the last step backwards, each time to the step that was done last of those it waited for. What a container's own
processes take until they are ready, and until a probe has seen it, is told apart from what is ours: the calls to the engine,
and what lies between.
"""

import json
import sys
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

PROCESS, ENGINE, BETWEEN = "process start", "engine", "between"
BARS = {PROCESS: "#", ENGINE: "=", BETWEEN: "-"}
COLUMNS = 60
# The rounding error of event times, which are in milliseconds.
CLOCK_SECONDS = 0.002


@dataclass
class Step:
    number: int
    service: str
    action: str
    object: str
    start: float
    done: float = 0.0
    # The numbers of the steps that it has waited for.
    after: set = field(default_factory=set)

    @property
    def kind(self):
        return PROCESS if self.action.startswith("wait") else ENGINE

    @property
    def seconds(self):
        return self.done - self.start

    def __str__(self):
        return f"{self.service}: {self.action} {self.object}" if self.kind == ENGINE else f"{self.service}: {self.action}"


@dataclass
class Run:
    steps: dict
    # Times in seconds: the plan is ready, the last step is done, the last event.
    planned: float
    ended: float
    last: float


def words(action):
    return action.replace("_", " ")


def named(thing):
    """The text of an object, such as `container shop-web-1.new to shop-web-1`."""
    return " ".join(filter(None, [thing["kind"], thing["name"], thing.get("relation")]))


def events(path, lines):
    """Each event with the seconds since the first event."""
    origin = None
    for number, line in enumerate(lines, 1):
        try:
            event = json.loads(line)
            time = datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp()
        except (ValueError, KeyError, TypeError) as error:
            raise SystemExit(f"critical_path: line {number} of \"{path}\" is no event of `spc run --json`: {error}") from error
        origin = time if origin is None else origin
        yield time - origin, event


def read(path, wall=None):
    """The steps of the first verb that changed something. If the duration of the process is given, times count from its start."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError as error:
        raise SystemExit(f"critical_path: \"{path}\" could not be read: {error.strerror}") from error
    timed = list(events(path, lines))
    shift = max(wall - timed[-1][0], 0) if wall and timed else 0
    steps, after, planned, ended, now = {}, {}, None, None, 0.0
    for now, event in timed:
        now += shift
        name = event["event"]
        if ended is not None or (planned is None and name != "verb_started"):
            continue
        step = steps.get(event.get("step"))
        if name == "verb_started":
            planned = now
        elif name == "verb_done":
            ended = now
        elif name == "step_waiting":
            after.setdefault(event["step"], set()).update(event["after"])
        elif name == "step_started" and "step" in event:
            steps[event["step"]] = Step(event["step"], event.get("service", "-"), words(event["action"]), named(event["object"]), now)
            steps[event["step"]].after = after.get(event["step"], set())
        elif name == "step_done" and step:
            step.done = now
        elif name in ("step_failed", "step_interrupted"):
            raise SystemExit(f"critical_path: the run of \"{path}\" did not succeed: {words(event['action'])} {named(event['object'])}")
    if planned is None or ended is None or not steps:
        raise SystemExit(f"critical_path: in \"{path}\" no verb did anything to its end")
    return Run(steps, planned, ended, now)


def chain(run):
    """The steps on the critical path, in order."""
    path = [max(run.steps.values(), key=lambda step: step.done)]
    while True:
        before = released_by(run, path[0])
        if before is None:
            return path
        path.insert(0, before)


def released_by(run, step):
    """The last step to finish among those that this step waited for: reported ones and earlier ones of its own service."""

    def waited_for(other):
        return other.number in step.after or (other.service == step.service and other.number < step.number)

    before = [other for other in run.steps.values() if waited_for(other) and other.done <= step.start + CLOCK_SECONDS]
    return max(before, key=lambda other: (other.done, other.number), default=None)


def parts(run):
    """The whole run as (kind, text, start, end), without gaps."""
    path, at = chain(run), run.planned
    found = [(BETWEEN, "spc: start, read, look and plan", 0.0, run.planned)]
    for step in path:
        if step.start - at > CLOCK_SECONDS:
            found.append((BETWEEN, f"before {step}", at, step.start))
        found.append((step.kind, str(step), step.start, step.done))
        at = step.done
    found.append((BETWEEN, "spc: write the record and end", at, run.last))
    return found


def drawn(path, wall=None):
    """The lines to print: the critical path, the sums of its parts, and all services."""
    run = read(path, wall)
    found = parts(run)
    width = max(len(text) for _, text, _, _ in found) + len(found)
    for depth, (kind, text, start, end) in enumerate(found):
        indented = " " * depth + text
        yield f"{start:7.3f} s {end - start:7.3f} s {(end - start) / run.last:4.0%}  {BARS[kind]} {indented:{width}} |{bar(run, [(kind, start, end)])}|"
    yield ""
    for kind, text in ((PROCESS, "process start (wait until ready)"), (ENGINE, "ours: calls to the engine"), (BETWEEN, "ours: between them")):
        seconds = sum(end - start for of, _, start, end in found if of == kind)
        yield f"{BARS[kind]} {text:34} {seconds:7.3f} s {seconds / run.last:4.0%}"
    yield ""
    yield from beside(run)


def beside(run):
    """One line per service, the last to become ready first. `*` marks services on the critical path."""
    decided = {step.service for step in chain(run) if step.kind == PROCESS}
    services = {}
    for step in run.steps.values():
        services.setdefault(step.service, []).append(step)
    for service, steps in sorted(services.items(), key=lambda item: -max(step.done for step in item[1])):
        done = max(step.done for step in steps)
        mark = "*" if service in decided else " "
        spans = [(step.kind, step.start, step.done) for step in steps]
        yield f"{mark} {service:16} ready {done:7.3f} s, {run.ended - done:6.3f} s before the end |{bar(run, spans)}|"


def bar(run, spans):
    cells = [" "] * COLUMNS
    for kind, start, end in spans:
        first = min(int(start / run.last * COLUMNS), COLUMNS - 1)
        for column in range(first, max(first + 1, min(round(end / run.last * COLUMNS), COLUMNS))):
            cells[column] = BARS[kind]
    return "".join(cells)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} FILE, what `spc run … --json` wrote")
    print("\n".join(drawn(sys.argv[1])))
