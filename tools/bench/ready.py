"""The health checks of the reference stack in production, run from the host without starting processes.

Each one is equivalent to the container's health check. After `up`, truth.py runs the real health checks.
"""

import http.client
import os
import socket
import struct
import time

SECONDS = 2
# PostgreSQL's error code while the server accepts no connections yet.
CANNOT_CONNECT_NOW = b"57P03"
ALIVE_SECONDS = 15


def database(address, _pid):
    """Like pg_isready: any response to a startup packet except CANNOT_CONNECT_NOW."""
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
    """Like `curl -f`: a response with a status below 400."""

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
