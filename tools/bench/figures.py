"""Measured values by tool, and their statistics."""

import json
import statistics
from dataclasses import dataclass, field

# The tool that the others are compared with.
FIRST = "spc"
# The alignment of the columns.
ALIGN = (str.ljust, str.ljust, str.rjust, str.rjust, str.rjust, str.rjust, str.ljust)


@dataclass
class Figure:
    name: str
    unit: str
    values: dict = field(default_factory=dict)

    def median(self, side):
        return statistics.median(self.values[side])

    def ratio(self, side):
        """The ratio of the medians, with the minimum and maximum ratio of a pair."""
        ours, theirs = self.values.get(FIRST), self.values[side]
        if side == FIRST or not ours or 0 in ours:
            return ""
        pairs = [other / one for one, other in zip(ours, theirs)]
        return f"{self.median(side) / self.median(FIRST):.2f} ({min(pairs):.2f} to {max(pairs):.2f})"


def shown(value, unit):
    return {"s": f"{value:.2f} s", "ms": f"{value * 1000:.1f} ms", "MB": f"{value / 1e6:.1f} MB"}[unit]


class Figures:
    def __init__(self, sides):
        self.sides = sides
        self.figures = {}

    def __getitem__(self, name):
        return self.figures[name]

    def __contains__(self, name):
        return name in self.figures

    def add(self, name, unit, side, value):
        """Adds a value, in seconds or bytes. `unit` is the unit of the output."""
        self.figures.setdefault(name, Figure(name, unit)).values.setdefault(side, []).append(value)

    def last(self, name, side):
        return self.figures[name].values[side][-1]

    def print(self):
        """One line for each figure of each tool."""
        rows = [["figure", "of", "min", "median", "max", "n", f"ratio to {FIRST}'s median (of a pair)"]]
        for figure in self.figures.values():
            for index, side in enumerate(filter(figure.values.get, self.sides)):
                values = figure.values[side]
                cells = [shown(value, figure.unit) for value in (min(values), figure.median(side), max(values))]
                rows.append(["" if index else figure.name, side, *cells, str(len(values)), figure.ratio(side)])
        widths = [max(map(len, column)) for column in zip(*rows)]
        for row in rows:
            print("  ".join(align(cell, width) for align, cell, width in zip(ALIGN, row, widths)).rstrip())

    def write(self, path):
        values = {name: {"unit": "byte" if figure.unit == "MB" else "s", **figure.values} for name, figure in self.figures.items()}
        path.write_text(json.dumps(values, indent=1) + "\n")
