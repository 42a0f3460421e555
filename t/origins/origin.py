#!/usr/bin/env python3
"""A real origin for tests: Python's own HTTP server with a thread for each connection.

Prints "listening on ADDRESS" when it is ready. GET /big?N sends N bytes, POST /sum answers the SHA-1 of what came,
GET /events sends an event for each GET /next, GET /ws echoes WebSocket frames.
"""
import base64
import hashlib
import http.server
import struct
import threading

EVENTS = threading.Semaphore(0)
ZEROES = bytes(1 << 20)


class Origin(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, body, kind="text/plain"):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path == "/big":
            self.big(int(query))
        elif path == "/events":
            self.events()
        elif path == "/next":
            EVENTS.release()
            self.answer(b"ok")
        elif path == "/ws":
            self.echo_frames()
        else:
            self.answer(self.path.encode())

    do_HEAD = do_GET

    def big(self, size):
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        while size:
            size -= self.wfile.write(ZEROES[:size])

    def events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for number in range(3):
            EVENTS.acquire()
            self.wfile.write(b"data: %d\n\n" % number)

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            left = int(self.headers.get("Content-Length", 0))
            while left:
                piece = self.rfile.read(min(left, 1 << 20))
                left -= len(piece)
                yield piece
            return
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            piece = self.rfile.read(size)
            self.rfile.readline()
            if not size:
                return
            yield piece

    def do_POST(self):
        digest, size = hashlib.sha1(), 0
        for piece in self.body():
            digest.update(piece)
            size += len(piece)
        self.answer(b"%d %s" % (size, digest.hexdigest().encode()))

    do_PUT = do_POST

    def echo_frames(self):
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.close_connection = True
        while True:
            head = self.rfile.read(2)
            if len(head) < 2:
                return
            size = head[1] & 127
            if size == 126:
                size, = struct.unpack(">H", self.rfile.read(2))
            elif size == 127:
                size, = struct.unpack(">Q", self.rfile.read(8))
            mask = self.rfile.read(4)
            payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(self.rfile.read(size)))
            length = struct.pack(">B", size) if size < 126 else struct.pack(">BH", 126, size)
            self.wfile.write(head[:1] + length + payload)
            if head[0] & 15 == 8:
                return


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin)
    print("listening on 127.0.0.1:%d" % server.server_port, flush=True)
    server.serve_forever()
