"""gunicorn reads this by itself; its command line overrides it."""

bind = "0.0.0.0:8000"
workers = 4
threads = 2
timeout = 120
accesslog = "-"

# With these two it writes nothing to disk, so that the container may be read-only.
worker_tmp_dir = "/dev/shm"
control_socket_disable = True
