"""Development's server."""

from io import StringIO

from django.core.management.base import BaseCommand
from django.db import OperationalError

from config.management.commands.runserver import Command


def test_it_starts_while_the_database_is_away(monkeypatch):
    def refuse(self):
        raise OperationalError("failed to resolve host 'db'")

    monkeypatch.setattr(BaseCommand, "check_migrations", refuse)
    stderr = StringIO()
    Command(stderr=stderr).check_migrations()
    assert "The database does not answer yet: failed to resolve host 'db'" in stderr.getvalue()
