"""Statistical process control and sampling plans as pure functions, without Django, Celery and a clock."""
