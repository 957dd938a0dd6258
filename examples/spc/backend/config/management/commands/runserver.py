"""The development server. It starts even without a database: a restarted engine starts containers in any order."""

from daphne.management.commands.runserver import Command as Runserver
from django.db import OperationalError


class Command(Runserver):
    def check_migrations(self):
        try:
            super().check_migrations()
        except OperationalError as error:
            self.stderr.write(f"The database does not answer yet: {error}")
