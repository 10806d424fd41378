"""Health over HTTP for probes and dashboards: /healthz (alive), /readyz (connected), /metrics (Prometheus).

Plain HTTP without authentication: bind it to a private address. It tells numbers and phases, never names of
sessions, people or data.
"""

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from consortia.control.diagnosis import split_endpoint
from consortia.errors import OperatorError


class HealthServer:
    """Serves in its own thread from construction until ``close``. ``numbers`` become gauges ``consortia_NAME``."""

    def __init__(self, endpoint: str, ready: Callable[[], bool], numbers: Mapping[str, Callable[[], float]]) -> None:
        registry = CollectorRegistry()
        gauges = {name: Gauge(f"consortia_{name}", name.replace("_", " "), registry=registry) for name in numbers}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/healthz":
                    self._answer(200, "application/json", json.dumps({"status": "ok"}).encode())
                elif self.path == "/readyz":
                    is_ready = ready()
                    body = json.dumps({"ready": is_ready}).encode()
                    self._answer(200 if is_ready else 503, "application/json", body)
                elif self.path == "/metrics":
                    for name, gauge in gauges.items():
                        gauge.set(numbers[name]())
                    self._answer(200, "text/plain; version=0.0.4", generate_latest(registry))
                else:
                    self._answer(404, "application/json", b"{}")

            def _answer(self, status: int, kind: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's signature
                """Probes are not worth a line in the log."""

        try:
            self._server = ThreadingHTTPServer(split_endpoint(endpoint), Handler)
        except OSError as error:
            raise OperatorError(
                "control/health-port",
                f"cannot listen on {endpoint}: {error.strerror}",
                remedy="another program uses the port; set another address for `health`",
            ) from error
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="health", daemon=True).start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
