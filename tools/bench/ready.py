"""The health checks of the reference stack in production, asked from the host, without a process started for it.

Each is what the container's own check asks; truth.py runs those themselves once `up` has ended.
"""

import http.client
import os
import socket
import struct
import time

SECONDS = 2
# Of a server that takes no connections yet.
CANNOT_CONNECT_NOW = b"57P03"
ALIVE_SECONDS = 15


def database(address, _pid):
    """As pg_isready: any answer to a startup packet, but for "not yet"."""
    with socket.create_connection((address, 5432), SECONDS) as connection:
        parameters = b"user\0postgres\0database\0spc_db\0\0"
        connection.sendall(struct.pack("!II", 8 + len(parameters), 196608) + parameters)
        answer = connection.recv(4096)
    return answer[:1] == b"R" or (answer[:1] == b"E" and b"C" + CANNOT_CONNECT_NOW not in answer)


def cache(address, _pid):
    with socket.create_connection((address, 6379), SECONDS) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(64) == b"+PONG\r\n"


def page(port, path):
    """As `curl -f`: an answer below 400."""

    def test(address, _pid):
        connection = http.client.HTTPConnection(address, port, timeout=SECONDS)
        try:
            connection.request("GET", path, headers={"Host": "localhost"})
            answer = connection.getresponse()
            answer.read()
            return answer.status < 400
        finally:
            connection.close()

    return test


def alive(_address, pid):
    return time.time() - os.stat(f"/proc/{pid}/root/dev/shm/celery-alive").st_mtime < ALIVE_SECONDS


TESTS = {
    "db": database,
    "redis": cache,
    "backend": page(8000, "/api/health/"),
    "flower": page(5555, "/healthcheck"),
    "frontend": page(80, "/"),
    "nginx": page(80, "/"),
    "celery-worker": alive,
    "celery-beat": alive,
    "worker": alive,
}


def passes(service, address, pid):
    try:
        return TESTS[service](address, pid)
    except (OSError, http.client.HTTPException):
        return False
