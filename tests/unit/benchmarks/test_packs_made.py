"""The packs that the benchmark makes are like those of nodes: each verifies, and heads go on from one to the next."""

from pathlib import Path

from benchmarks.packs import make
from consortia.audit.believed import Memory
from consortia.audit.verify import verify_pack


def test_packs_made_without_nodes_verify(tmp_path: Path) -> None:
    make(tmp_path / "packs", tmp_path / "homes", 3)
    memory = Memory()
    verified = [verify_pack(file.read_bytes(), memory=memory) for file in sorted((tmp_path / "packs").iterdir())]
    assert len({one.session for one in verified}) == len({one.submission.plan for one in verified}) == 3
    assert [len(one.run.seals["bank-b"].earlier) for one in verified] == [0, 1, 1]
