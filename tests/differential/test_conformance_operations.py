"""Conformance inputs about running a node (O1, O2, O3, O6, and the exit code of D2): what its operator or analyst sees.

Elsewhere: five certificates at the peers and one code each in tests/unit/trust/test_certificates.py and
tests/unit/control/test_control_stream.py; white space around keys in tests/unit/trust/test_keys.py; two of three nodes
started, a killed node and a restarted coordinator in tests/simulation/test_session_runs.py and tests/e2e.
"""

import re
import socket
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from consortia.cli.main import app
from consortia.control.messages import Kind
from consortia.control.phases import Phase
from consortia.errors import OperatorError
from consortia.parties.data.register import register
from consortia.parties.data.snapshots import SnapshotStore
from consortia.plans.catalogue import Catalogue
from consortia.trust.certificates import Identity, TlsPair, issue, make_root
from consortia.trust.home import Home
from consortia.trust.keyfiles import save_private_keys
from consortia.trust.keys import PrivateKey, short
from tests.e2e_cluster import PURPOSE, Cluster, prepare
from tests.session_world import SessionWorld, session_world

DAY = timedelta(days=1)


# --- O1: certificates ------------------------------------------------------------------------------------------------


def install(home: Home, pair: TlsPair) -> None:
    """The pair as the node's certificate and key."""
    for file in (home.path / "tls" / "node.crt", home.path / "keys" / "tls-node.pem"):
        file.unlink()
    (home.path / "tls" / "node.crt").write_text(pair.certificate)
    save_private_keys(home.path / "keys" / "tls-node.pem", (pair.key,), None)


def pair_for(world: SessionWorld, case: str) -> TlsPair:
    now, homes = world.consortium.now, world.consortium.homes
    name = world.consortium.manifest.consortium
    own, other = Identity(name, "node", "bank-c"), Identity(name, "node", "bank-b")
    root = homes["bank-c"].tls_root()
    match case:
        case "expired":
            return issue(root, own, now - 11 * DAY, now - DAY)
        case "not-yet-valid":
            return issue(root, own, now + DAY, now + 10 * DAY)
        case "other-ca":
            return issue(homes["bank-b"].tls_root(), own, now - DAY, now + 10 * DAY)
        case "swapped":
            return issue(homes["bank-b"].tls_root(), other, now - DAY, now + 10 * DAY)
    return issue(make_root(name, "bank-c", now - DAY, now + 100 * DAY), own, now - DAY, now + 10 * DAY)


def test_o1_five_wrong_certificates_stop_the_node_with_five_codes_and_the_right_one_serves(tmp_path: Path) -> None:
    with session_world(tmp_path, start=("bank-a", "bank-b")) as world:
        home = world.consortium.home("bank-c")
        right = home.tls_node()
        codes = set()
        for case in ("expired", "not-yet-valid", "other-ca", "swapped", "old-bundle"):
            install(home, pair_for(world, case))
            with pytest.raises(OperatorError) as caught:
                world.start_node("bank-c")
            assert caught.value.code == f"trust/certificate-{case}"
            assert caught.value.remedy
            codes.add(caught.value.code)
        assert len(codes) == 5
        install(home, right)
        world.start_node("bank-c")
        client = world.client()
        assert client.end(world.submit(client)).phase is Phase.SEALED


# --- O2: keys after a reinstallation ---------------------------------------------------------------------------------


def test_o2_a_node_with_a_new_key_says_which_key_is_registered_and_what_to_run(tmp_path: Path) -> None:
    with session_world(tmp_path, start=()) as world:
        home = world.consortium.home("bank-b")
        file = home.path / "keys" / "node.pem"
        registered = home.node_key()
        file.unlink()
        new = PrivateKey.generate(registered.suite)
        new.save(file)
        with pytest.raises(OperatorError) as caught:
            world.start_node("bank-b")
        assert caught.value.code == "parties/own-key"
        for part in (short(new.key_id), short(registered.key_id), "consortia member accept", str(file)):
            assert part in str(caught.value)


def test_o2_line_ends_behind_every_key_do_no_harm(tmp_path: Path) -> None:
    with session_world(tmp_path, start=()) as world:
        for home in world.consortium.homes.values():
            for file in (home.path / "keys").glob("*.pem"):
                file.write_bytes(file.read_bytes() + b"\r\n")
            world.start_node(home.member)
        client = world.client()
        assert client.end(world.submit(client)).phase is Phase.SEALED


# --- O3: clocks ------------------------------------------------------------------------------------------------------


def shift_clock(world: SessionWorld, member: str, seconds: int) -> None:
    node = world.nodes[member]
    honest = node._tools.clock
    object.__setattr__(node._tools, "clock", lambda: honest() + timedelta(seconds=seconds))


@pytest.mark.parametrize("offsets", [(-300, -5, 1), (5, 300, 0)], ids=str)
def test_o3_clocks_up_to_300_seconds_apart_are_accepted(tmp_path: Path, offsets: tuple[int, int, int]) -> None:
    with session_world(tmp_path) as world:
        for member, offset in zip(("bank-a", "bank-b", "bank-c"), offsets, strict=True):
            shift_clock(world, member, offset)
        client = world.client()
        assert client.end(world.submit(client)).phase is Phase.SEALED


def test_o3_an_approval_of_a_clock_an_hour_behind_ends_the_session_naming_its_party_and_times(tmp_path: Path) -> None:
    """Another node finds it first, or the coordinator's watch: both say whose approval, and until when it was valid."""
    with session_world(tmp_path) as world:
        shift_clock(world, "bank-c", -3600)
        client = world.client()
        end = client.end(world.submit(client))
        assert end.phase in (Phase.ABORTED, Phase.EXPIRED)
        assert end.fault is not None
        assert end.fault.code in ("parties/approval-expired", "coordinator/expired")
        assert "bank-c" in end.fault.message
        assert re.search(r"(valid until|ran out at) 20\d\d-", end.fault.message)
        assert not [letter for letter in client.letters if letter.kind == Kind.PART]


# --- O6: a port in use -----------------------------------------------------------------------------------------------


def invoke(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    return prepare(tmp_path_factory.mktemp("cluster"), count=12, max_rows=20)


def occupied(cluster: Cluster, name: str) -> socket.socket:
    return socket.create_server(("127.0.0.1", cluster.ports[name]))


def serve_party(cluster: Cluster) -> Result:
    return invoke("party", "serve", "--config", cluster.world.home("bank-b").path / "party.yaml")


def serve_coordinator(cluster: Cluster) -> Result:
    return invoke("coordinator", "serve", "--coordinator-home", cluster.world.coordinator.path)


@pytest.mark.parametrize(
    ("name", "serve", "code"),
    [("bank-b", serve_party, "transport/port"), ("coordinator", serve_coordinator, "coordinator/port")],
)
def test_o6_a_port_in_use_ends_the_command_at_once_naming_the_port(
    cluster: Cluster, name: str, serve: Callable[[Cluster], Result], code: str
) -> None:
    with occupied(cluster, name):
        result = serve(cluster)
    assert result.exit_code == 1
    assert code in result.stderr
    assert str(cluster.ports[name]) in result.stderr


# --- D2 at the command line ------------------------------------------------------------------------------------------


def simulate(cluster: Cluster, sql: str) -> Result:
    profile = cluster.world.profile("ana@bank-a").path
    homes = cluster.folder / "homes"
    return invoke("query", sql, "--purpose", PURPOSE, "--simulate", homes, "--profile", profile)


def test_d2_no_hit_is_exit_code_0_and_an_answer_without_contributors_is_4(cluster: Cluster) -> None:
    for member in cluster.world.members:
        home = cluster.world.home(member)
        (cluster.folder / "empty.csv").write_text("person,amount,country,flag\n")
        signed = Catalogue.parse(home.trust.catalogue().payload_bytes())
        store = SnapshotStore(home.path / "snapshots")
        schema, file = cluster.folder / "schema.yaml", cluster.folder / "empty.csv"
        register(store, schema, file, signed, home.domain_key, cluster.world.now)
    nothing = simulate(cluster, "SELECT person FROM visits GROUP BY person HAVING COUNT(DISTINCT member()) >= 2")
    assert nothing.exit_code == 0, nothing.stderr
    assert "no rows" in nothing.stderr
    hidden = simulate(cluster, "SELECT COUNT(*) AS n, SUM(amount) AS s FROM visits")
    assert hidden.exit_code == 4, hidden.stderr
    assert "suppressed" in hidden.stderr
