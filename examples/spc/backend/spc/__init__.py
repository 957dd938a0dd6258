"""Statistical process control and sampling plans as plain functions, which know neither Django, Celery nor a clock."""
