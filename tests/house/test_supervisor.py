"""The demo's supervisor: what it refuses, what it starts, and that nothing outlives it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from albo_pec import demo, supervisor
from albo_pec.children import ChildEndedError, Children, Interrupts
from albo_pec.embedded.files import REPOSITORY, make_var
from albo_pec.embedded.processes import free_port
from tests.house.holders import clean_environment, wait_until

# A supervisor of two children, one of which has a child of its own and none of which ends when it is asked to.
STUBBORN = """
import os, sys
from pathlib import Path
from albo_pec.children import Children, Interrupted, Interrupts
deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); {}; print('pronto', flush=True); {}"
sleep = "time.sleep(60)"
grandchild = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import time; {sleep}']).pid)"
nested = deaf.format(grandchild, sleep)
interrupts = Interrupts()
interrupts.install()
children = Children(Path(sys.argv[1]), interrupts)
try:
    children.start("one", "uno", [sys.executable, "-c", nested], dict(os.environ))
    children.start("two", "due", [sys.executable, "-c", deaf.format("pass", sleep)], dict(os.environ))
    print(*[child.process.pid for child in children.running], flush=True)
    children.watch()
except Interrupted:
    pass
finally:
    interrupts.close()
    children.end((("one", "two"), 0.2))
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def interrupts() -> Interrupts:
    return Interrupts()  # not installed: the tests' own handlers stay


def run_supervisor(var: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    ports = {name: str(free_port()) for name in supervisor.PORTS}
    return subprocess.run(
        [sys.executable, "-m", "albo_pec.supervisor"],
        env=clean_environment(var, **(ports | variables)),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_deaf_children_and_their_children_are_ended(tmp_path: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STUBBORN, tmp_path],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # the tests may run under nohup
    )
    assert process.stdout is not None
    pids = [int(word) for word in process.stdout.readline().split()]
    logs = [tmp_path / "log" / f"{name}.log" for name in ("one", "two")]
    wait_until(lambda: all("pronto" in log.read_text() for log in logs))
    pids.append(int(logs[0].read_text().split()[0]))
    process.send_signal(number)
    process.send_signal(number)  # twice is no worse than once
    errors = process.communicate(timeout=30)[1]
    assert (process.returncode, errors) == (0, "")
    assert not [pid for pid in pids if alive(pid)]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a child is not told that its parent was killed")
def test_children_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    script = STUBBORN.replace("signal.signal(signal.SIGTERM, signal.SIG_IGN)", "pass")
    process = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    pids = [int(word) for word in process.stdout.readline().split()]
    process.kill()
    process.communicate()
    wait_until(lambda: not [pid for pid in pids if alive(pid)])


def test_a_child_that_ends_is_told_with_its_last_words(tmp_path: Path, interrupts: Interrupts) -> None:
    children = Children(tmp_path, interrupts)
    command = [sys.executable, "-c", "print('la causa'); raise SystemExit(3)"]
    children.start("worker", "worker", command, dict(os.environ))
    with pytest.raises(ChildEndedError, match=r"«worker».*codice 3(?s:.)*la causa"):
        children.watch()
    children.end((("worker",), 1.0))
    assert children.running == []


def test_logs_are_begun_anew_and_the_last_is_kept(tmp_path: Path, interrupts: Interrupts) -> None:
    for words in ("prima", "seconda"):
        children = Children(tmp_path, interrupts)
        children.start("web", "web", [sys.executable, "-c", f"print('{words}')"], dict(os.environ))
        children.running[0].process.wait(timeout=10)
    assert (tmp_path / "log" / "web.log").read_text() == "seconda\n"
    assert (tmp_path / "log" / "web.log.1").read_text() == "prima\n"


@pytest.mark.parametrize("variable", list(supervisor.PORTS))
def test_a_taken_port_is_named_with_its_variable(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ports = {name: free_port() for name in supervisor.PORTS}
    monkeypatch.setattr(supervisor, "port_is_free", lambda port: port != ports[variable])
    with pytest.raises(supervisor.UnableError) as refused:
        supervisor.check_ports(ports)
    assert str(ports[variable]) in str(refused.value)
    assert variable in str(refused.value)


@pytest.mark.parametrize("text", ["abc", "0", "70000", "-1"])
def test_what_is_no_port_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_PORT", text)
    with pytest.raises(supervisor.UnableError, match="SANDBOX_PORT"):
        supervisor.read_ports()


def test_two_equal_ports_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "8001")
    monkeypatch.delenv("SANDBOX_PORT", raising=False)
    with pytest.raises(supervisor.UnableError, match="diverse"):
        supervisor.read_ports()


def test_the_second_demo_of_a_var_is_refused(new_var: Path) -> None:
    make_var(new_var)
    lock = demo.demo_lock(new_var)
    assert lock.acquire()
    (new_var / "demo.json").write_text("{}")
    done = run_supervisor(new_var)
    lock.release()
    assert done.returncode == 1
    assert done.stderr.startswith("Il portale è già in funzione")
    assert "Traceback" not in done.stderr
    assert (new_var / "demo.json").exists()  # it is the other's


def test_secrets_are_kept_and_the_real_provider_is_out_of_reach(new_var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARUBA_BASE_URL", "https://provider.example")
    make_var(new_var)
    ports = {"PORT": 8000, "SANDBOX_PORT": 8001, "SMTP_PORT": 8026}
    first = demo.environment(new_var, ports)
    second = demo.environment(new_var, ports | {"SANDBOX_PORT": 9001})
    assert first["ARUBA_BASE_URL"] == "http://127.0.0.1:8001"
    assert second["ARUBA_BASE_URL"] == "http://127.0.0.1:9001"
    assert {name: first[name] for name in demo.KEPT_SECRETS} == {name: second[name] for name in demo.KEPT_SECRETS}
    assert len({first[name] for name in demo.KEPT_SECRETS}) == len(demo.KEPT_SECRETS)
    assert (new_var / "demo.env.json").stat().st_mode & 0o777 == 0o600


def test_commands_follow_the_demo_only_while_it_runs(new_var: Path) -> None:
    make_var(new_var)
    assert demo.running_environment(new_var) == {}
    values = demo.environment(new_var, {"PORT": 8000, "SANDBOX_PORT": 8001, "SMTP_PORT": 8026})
    assert demo.running_environment(new_var) == {}
    lock = demo.demo_lock(new_var)
    assert lock.acquire()
    assert demo.running_environment(new_var) == values
    lock.release()
    assert demo.running_environment(new_var) == {}


def test_the_table_shows_every_account() -> None:
    account = {
        "role": "iscritto",
        "ordine": "marche",
        "username": "RSSMRA80A01A271X",
        "password": "p",
        "name": "Mario Rossi",
    }
    addresses = {"portal": "http://p/", "sandbox": "http://s/", "mail": "http://m/"}
    text = supervisor.table(addresses | {"accounts": [account | {"state": "ATTIVO"}, account | {"state": None}]})
    assert text.count("Mario Rossi") == 2
    for word in (*addresses.values(), "RSSMRA80A01A271X", "ATTIVO", "Ctrl-C"):
        assert word in text
    assert "None" not in text


def test_the_seed_is_read_from_its_output(monkeypatch: pytest.MonkeyPatch) -> None:
    def seed_demo(name: str, stdout: object) -> None:
        assert name == "seed_demo"
        print(json.dumps({"accounts": [{"username": "admin"}]}), file=stdout)  # type: ignore[call-overload]

    monkeypatch.setattr("django.core.management.call_command", seed_demo)
    assert supervisor.seed() == [{"username": "admin"}]
