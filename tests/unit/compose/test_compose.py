"""The containers' files, as far as they can be checked without a container engine (compose/README.md says the rest)."""

import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from consortia.cli.main import app
from consortia.parties.config import read_config
from consortia.parties.node import PartyNode
from consortia.parties.workshop import Workshop
from consortia.trust.home import Home
from tests.consortium import make_consortium

ROOT = Path(__file__).parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose" / "compose.yaml").read_text())
CONTAINERFILE = (ROOT / "compose" / "Containerfile").read_text()
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
each = pytest.mark.parametrize("name", sorted(SERVICES))


def test_there_are_a_coordinator_and_three_members() -> None:
    assert sorted(SERVICES) == ["bank-a", "bank-b", "bank-c", "coordinator"]


@each
def test_a_service_can_do_no_more_than_it_must(name: str) -> None:
    service = SERVICES[name]
    user = service["user"].split(":")
    assert all(part.isdigit() and int(part) >= 1000 for part in user)
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "privileged" not in service
    assert "network_mode" not in service
    assert "pid" not in service
    assert service["mem_limit"]


@each
def test_secrets_are_files_of_their_own_and_never_environment(name: str) -> None:
    service = SERVICES[name]
    assert "environment" not in service
    assert "env_file" not in service
    for secret in service["secrets"]:
        assert secret["source"] in COMPOSE["secrets"]
        assert secret["source"].startswith(name)
        assert re.fullmatch(r"/var/lib/consortia/keys/[a-z-]+\.pem", secret["target"])
    for declared in COMPOSE["secrets"].values():
        assert re.fullmatch(r"\$\{[A-Z_]+\}/keys/(node|kem|tls|tls-node)\.pem", declared["file"])


@each
def test_volumes_are_named_and_a_service_has_its_own(name: str) -> None:
    mounted = [volume.split(":") for volume in SERVICES[name]["volumes"]]
    assert sorted(target for _, target in mounted) == ["/var/cache/consortia", "/var/lib/consortia"]
    for source, _ in mounted:
        assert source in COMPOSE["volumes"]
        assert source.startswith(name)


@each
def test_the_health_check_asks_the_address_on_which_the_service_answers(name: str) -> None:
    check = SERVICES[name]["healthcheck"]["test"]
    assert check[:3] == ["CMD", "python", "-c"]
    compile(check[3], "healthcheck", "exec")
    asked = re.search(r"http://([0-9.:]+)/readyz", check[3])
    assert asked is not None
    command = SERVICES[name]["command"]
    served = (
        command[command.index("--health") + 1]
        if "--health" in command
        else read_config(ROOT / "compose" / "party.yaml").health
    )
    assert asked.group(1) == served


@each
def test_the_command_exists_with_its_options(name: str) -> None:
    command = SERVICES[name]["command"]
    root: Any = typer.main.get_command(app)
    verb = root.get_command(None, command[0]).get_command(None, command[1])
    known = {option for parameter in verb.params for option in parameter.opts}
    given = {word for word in command if word.startswith("--")}
    assert given <= known


@each
def test_networks_are_declared_and_those_of_nodes_lead_nowhere_else(name: str) -> None:
    for network in SERVICES[name]["networks"]:
        assert network in COMPOSE["networks"]
        if name != "coordinator":
            assert COMPOSE["networks"][network]["internal"] is True


def test_the_folders_of_the_environment_file_are_the_ones_used() -> None:
    used = set(re.findall(r"\$\{([A-Z_]+)\}", (ROOT / "compose" / "compose.yaml").read_text()))
    lines = (ROOT / "compose" / ".env.example").read_text().splitlines()
    assert {line.split("=")[0] for line in lines if line and not line.startswith("#")} == used


def test_what_the_image_copies_exists_and_it_does_not_run_as_root() -> None:
    for line in re.findall(r"^COPY (?!--from)(.*)$", CONTAINERFILE, re.MULTILINE):
        for source in shlex.split(line)[:-1]:
            assert (ROOT / source).exists(), source
    users = re.findall(r"^USER (\S+)$", CONTAINERFILE, re.MULTILINE)
    assert users == ["10001:10001"]
    modules = re.findall(r"python -m (consortia[\w.]*)", CONTAINERFILE)
    assert modules == ["consortia.protocols.kernels"]
    done = subprocess.run([sys.executable, "-c", f"import {modules[0]}"], capture_output=True, cwd=ROOT)
    assert done.returncode == 0


def test_a_node_starts_with_the_mounted_keys_alone(tmp_path: Path) -> None:
    world = make_consortium(tmp_path / "world", now=datetime.now(UTC))
    mounted = {Path(secret["target"]).name for secret in SERVICES["bank-a"]["secrets"]}
    home = tmp_path / "home"
    for folder in ("trust", "tls", "public"):
        shutil.copytree(world.home("bank-a").path / folder, home / folder)
    (home / "keys").mkdir(mode=0o700)
    for name in mounted:
        shutil.copy(world.home("bank-a").path / "keys" / name, home / "keys" / name)
    settings = {"home": str(home), "listen": "127.0.0.1:0"}
    (tmp_path / "party.yaml").write_text(yaml.safe_dump(settings))
    node = PartyNode(read_config(tmp_path / "party.yaml"), Home(home), Workshop(Home(home)))
    try:
        assert node.member == "bank-a"
    finally:
        node.stop()
