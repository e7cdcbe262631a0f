# SPDX-License-Identifier: MIT
"""A web server with pages that anybody can compute, and that counts who asks for them."""
import collections
import hashlib
import http.server
import threading
import urllib.request


def content(number, size):
    """The same for everybody, different for each number, and in each of its parts."""
    seed = hashlib.sha256(str(number).encode()).digest()
    return b"".join(hashlib.sha256(seed + part.to_bytes(4, "big")).digest() * 32
                    for part in range(size // 1024))


class Origin:
    def __init__(self, size):
        self.asked = collections.Counter()
        asked = self.asked

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                number = int(self.path.strip("/"))
                asked[number] += 1
                page = content(number, size)
                self.send_response(200)
                self.send_header("Content-Length", str(len(page)))
                self.send_header("Cache-Control", "public, max-age=86400")
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def address(self, number):
        return f"http://127.0.0.1:{self.server.server_address[1]}/{number}"


def fetch(proxy_port, address):
    """A connection of its own each time: the kernel deals them out to the workers."""
    handler = urllib.request.ProxyHandler({"http": f"http://127.0.0.1:{proxy_port}"})
    with urllib.request.build_opener(handler).open(address, timeout=120) as answer:
        return answer.read()
