"""Health over HTTP: alive, ready or not, numbers; and a port in use is a clear error."""

import json
import urllib.error
import urllib.request

import pytest

from consortia.control.health import HealthServer
from consortia.errors import OperatorError


def fetched(port: int, path: str) -> tuple[int, str]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_process_says_that_it_lives_whether_it_is_ready_and_its_numbers() -> None:
    state = {"ready": False, "sessions": 3.0}
    server = HealthServer("127.0.0.1:0", lambda: bool(state["ready"]), {"sessions_running": lambda: state["sessions"]})
    try:
        assert fetched(server.port, "/healthz")[0] == 200
        status, body = fetched(server.port, "/readyz")
        assert (status, json.loads(body)) == (503, {"ready": False})
        state["ready"] = True
        assert fetched(server.port, "/readyz")[0] == 200
        assert "consortia_sessions_running 3.0" in fetched(server.port, "/metrics")[1]
        assert fetched(server.port, "/other")[0] == 404
        with pytest.raises(OperatorError) as refused:
            HealthServer(f"127.0.0.1:{server.port}", lambda: True, {})
        assert refused.value.code == "control/health-port"
    finally:
        server.close()
