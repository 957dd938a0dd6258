"""Reads settings from the environment, and secrets from the files that it names."""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

_BOOLEANS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


def text(name: str, default: str) -> str:
    """The value of the variable. An empty variable counts as not set."""
    return os.environ.get(name) or default


def boolean(name: str, *, default: bool) -> bool:
    value = text(name, str(default))
    try:
        return _BOOLEANS[value.strip().lower()]
    except KeyError:
        raise ImproperlyConfigured(f"{name} is {value!r}; it is either True or False.") from None


def integer(name: str, *, default: int, smallest: int, largest: int) -> int:
    value = text(name, str(default)).strip()
    if not (value.isascii() and value.isdigit() and smallest <= int(value) <= largest):
        raise ImproperlyConfigured(f"{name} is {value!r}; it is a whole number from {smallest} to {largest}.")
    return int(value)


def words(name: str, default: str) -> list[str]:
    """The parts of a comma separated value, without the empty ones."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def secret(name: str) -> str:
    """The content of the file that `<name>_FILE` names, else the variable `name`."""
    file = os.environ.get(f"{name}_FILE")
    if file:
        try:
            value = Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE is {file!r}, which cannot be read: {error.strerror}.") from error
        if not value:
            raise ImproperlyConfigured(f"{name}_FILE is {file!r}, which is empty.")
        return value
    value = os.environ.get(name)
    if not value:
        raise ImproperlyConfigured(f"Set {name}_FILE to the file with the secret, or {name} to the secret itself.")
    return value
