"""The servers of one VAR as one process knows them, from finding them to ending them."""

from pathlib import Path

from albo_pec.embedded import postgres, processes, valkey
from albo_pec.embedded.files import read_json
from albo_pec.embedded.place import State, current_place


class Session:
    """Used under the locks: starting under the one on starting, ending under the exclusive one of the last to leave."""

    def __init__(self, var: Path) -> None:
        self.state = State.load(var)
        self.place = current_place(var, self.state)
        self._postgres: set[int] = set()
        self._valkey: set[int] = set()

    def find_or_start(self, missing: list[str]) -> dict[str, str]:
        state, place = self.state, self.place
        found = {}
        if "DATABASE_URL" in missing:
            self._postgres.add(postgres.running(state, place.data) or postgres.start(place, state))
            found["DATABASE_URL"], found["WEB_DATABASE_URL"] = postgres.url(state), postgres.web_url(state)
        if "REDIS_URL" in missing:
            self._valkey.add(valkey.running(state, place.valkey) or valkey.start(place, state))
            found["REDIS_URL"] = valkey.url(state)
        return found

    def end_servers(self) -> None:
        """Those found or started here, and those that others have started on the same VAR since.

        VAR may have been deleted meanwhile, and another may be in its room: then only the former are ours.
        """
        place = self.place
        if read_json(place.var / "servers.json").get("id") == self.state.id:
            self._postgres.update(processes.strays(postgres.PROGRAM, place.data, place.uid))
            self._valkey.update(processes.strays(valkey.PROGRAM, place.valkey, place.uid))
        for pid in self._valkey:
            valkey.stop(pid, place.valkey)
        for pid in self._postgres:
            postgres.stop(pid, place.data)
