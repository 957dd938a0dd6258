"""gunicorn reads this by itself; its command line overrides it."""

# The second port is for WebSockets: the proxy uses it for nothing else, so that a deployment can count them.
bind = ["0.0.0.0:8000", "0.0.0.0:8001"]
workers = 4
# ASGI, for the WebSocket. These workers have no `threads` setting: each serves its connections in one event loop, and
# Django runs each request's code in a thread of its own. The reference stack's "2 threads" don't apply.
worker_class = "uvicorn_worker.UvicornWorker"
# Of an event loop that doesn't answer, that is; a request may take longer.
timeout = 120
# On TERM no new connection is taken; requests in work are finished, and WebSockets closed with 1012 ("restarting").
graceful_timeout = 30
# Longer than nginx keeps a connection to it that nobody uses (60 s): the side that closes first must not be this one, or a request
# that is just being sent is lost.
keepalive = 75
accesslog = "-"

# With these two it writes nothing to disk, so that the container may be read-only.
worker_tmp_dir = "/dev/shm"
control_socket_disable = True
