"""Answers with the name of its release. When it is asked to stop, it finishes its requests."""

import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Page(BaseHTTPRequestHandler):
    # nginx keeps its connections. This server never closes an unused one, so no request meets a closing connection.
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = f"release {os.environ['RELEASE']}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("", 8000), Page)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
