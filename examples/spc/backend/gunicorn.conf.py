"""gunicorn reads this file by default. Its command line overrides it."""

# The second port is only for WebSockets, so that a deployment can count them.
bind = ["0.0.0.0:8000", "0.0.0.0:8001"]
workers = 4
# ASGI, because of the WebSocket. These workers ignore the setting `threads`: each serves its connections in one event
# loop, and Django runs each request in a thread.
worker_class = "uvicorn_worker.UvicornWorker"
# The limit for an event loop that doesn't answer. A request may take longer.
timeout = 120
# At SIGTERM, gunicorn accepts no new connections, finishes requests, and closes WebSockets with 1012 ("restarting").
graceful_timeout = 30
# Longer than nginx keeps an unused connection (60 s). If gunicorn closed a connection first, it could lose a request
# that nginx is just sending.
keepalive = 75
accesslog = "-"

# With these two settings gunicorn writes no files, so the container can be read-only.
worker_tmp_dir = "/dev/shm"
control_socket_disable = True
