"""Run commands, each on a terminal of its own, and draw what they leave on the screen as an SVG.

    pictures.py OUT.svg COLUMNS COMMAND...

Each COMMAND is one line as a person types it. It sees a terminal with colours. The picture shows
what a person reads once the command has ended.
"""

import fcntl
import itertools
import os
import pty
import shlex
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pyte
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import MONOKAI
from rich.text import Text

ROWS = 200

# rich's own template, without the fonts that it would load from the network, so that the picture
# is the same wherever it is opened.
TEMPLATE = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g></g></svg>
"""


def screen_after(command: list[str], columns: int) -> pyte.Screen:
    """The screen when `command` has ended. Fails if the command fails."""
    screen = pyte.Screen(columns, ROWS)
    stream = pyte.ByteStream(screen)
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=environment, start_new_session=True)
    os.close(its)
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # The other side is closed.
            break
        if not chunk:
            break
        # pyte knows no faint text; this is grey.
        stream.feed(chunk.replace(b"\x1b[2m", b"\x1b[38;2;150;150;150m"))
    if code := process.wait():
        print("\n".join(line.rstrip() for line in screen.display).strip(), file=sys.stderr)
        sys.exit(f"pictures: {' '.join(command)} ended with {code}")
    return screen


def colour(name: str) -> str | None:
    """pyte's name of a colour as rich's."""
    if name == "default":
        return None
    if len(name) == 6 and all(digit in "0123456789abcdef" for digit in name):
        return f"#{name}"
    return name.replace("brown", "yellow").replace("bright", "bright_")


def style_of(cell: pyte.screens.Char) -> Style:
    front = colour(cell.fg)
    return Style(
        color=Color.parse(front) if front else None, bold=cell.bold, italic=cell.italics, underline=cell.underscore
    )


def line_of(screen: pyte.Screen, row: int) -> Text:
    """One line of the screen with its styles, without the spaces at its end."""
    text = Text()
    cells = [screen.buffer[row][column] for column in range(len(screen.display[row].rstrip()))]
    # Neighbours of one style are one text of the picture.
    for style, same in itertools.groupby(cells, style_of):
        text.append("".join(cell.data for cell in same), style)
    return text


def main() -> None:
    out, columns, *lines = sys.argv[1:]
    with open(os.devnull, "w", encoding="utf-8") as nothing:
        console = Console(record=True, width=int(columns), file=nothing, force_terminal=True, color_system="truecolor")
        for line in lines:
            screen = screen_after(shlex.split(line), int(columns))
            last = max((row for row, text in enumerate(screen.display) if text.strip()), default=-1)
            console.print(Text("$ ", Style(color="green")) + Text(line, Style(bold=True)))
            for row in range(last + 1):
                console.print(line_of(screen, row), no_wrap=True, overflow="ignore", crop=False)
            console.print()
        drawn = console.export_svg(title="", theme=MONOKAI, code_format=TEMPLATE, unique_id="spc")
    Path(out).write_text(drawn, encoding="utf-8")


main()
