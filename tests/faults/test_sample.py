"""A handful of cells of the matrix, one fault of each sort: all of them run in ``make faults``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox_process import SandboxProcess

ROOT = Path(__file__).resolve().parents[2]
MEMBERS = 4
CELLS = {
    "CREATE": "KILL", "TAX_CODE": "LATENCY", "ACTIVATE": "CLOSED", "RESET": "HTML", "RECOVERY_EMAIL": "REVOKED",
    "SUSPEND": "POSTGRES", "RESUME": "TRUNCATED", "CLOSE": "RATE_LIMIT",
}  # fmt: skip

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, worker_id: str, sandbox: SandboxProcess) -> dict[str, Any]:
    """What came of the sample, which needs a process and servers of its own: it restarts PostgreSQL."""
    result = tmp_path_factory.mktemp("faults") / "result.json"
    command = [sys.executable, "-m", "tests.faults", "--sample", "--size", str(MEMBERS), "--json", str(result)]
    command += ["--sandbox", sandbox.url, str(sandbox.smtp_port)]
    environment = os.environ | {"VAR": str(Path(os.environ["VAR"]) / f"sample-{worker_id}")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.exists(), done.stderr
    return json.loads(result.read_text()) | {"status": done.returncode, "said": done.stdout + done.stderr}


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("kind", "fault"), CELLS.items())
def test_nothing_is_lost_and_nothing_happens_twice(found: dict[str, Any], kind: str, fault: str) -> None:
    cell = next(cell for cell in found["cells"] if cell["kind"] == kind)
    assert cell["fault"] == fault
    assert cell["good"], found["said"]
    assert cell["operations"] == MEMBERS


@pytest.mark.timeout(180)
def test_the_oracle_sees_a_link_that_left_twice(found: dict[str, Any]) -> None:
    assert found["seen_twice"] == MEMBERS


@pytest.mark.timeout(180)
def test_the_chain_of_the_log_holds(found: dict[str, Any]) -> None:
    assert found["chain"] == ""
    assert found["status"] == 0
