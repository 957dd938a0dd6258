"""The Docker Engine API on a local socket. Each call uses a new connection, so threads can call at the same time."""

import http.client
import json
import os
import socket


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Engine:
    def __init__(self):
        kind, _, self.path = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").partition("://")
        if kind != "unix":
            raise SystemExit(f"bench: DOCKER_HOST is \"{os.environ['DOCKER_HOST']}\"; by hand needs an engine on this machine, a unix:// one")

    def call(self, method, path, body=None, archive=None):
        """Returns the engine's response: JSON as data, a tar file as bytes. Ends the measurement on an error."""
        content = archive if archive is not None else (json.dumps(body).encode() if body is not None else None)
        headers = {"Content-Type": "application/x-tar" if archive is not None else "application/json"} if content is not None else {}
        connection = Connection(self.path)
        try:
            connection.request(method, path, content, headers)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            raise SystemExit(f"bench: {method} {path} ended with {answer.status}: {data.decode(errors='replace').strip()}")
        if answer.headers.get_content_type() == "application/json":
            return json.loads(data)
        return data
