"""Statistical process control and sampling plans as plain functions: nothing here knows of Django, Celery or a clock."""
