"""The limit that no portal can pass: threads that make the calls and nothing else.

``python -m bench.bare URL CALLS THREADS`` waits for a line, makes the calls, and prints seconds
and CPU seconds as JSON.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from itertools import count

import requests

PATH = "/service/public/partner/pec/v3/accounts/activate"


def main(url: str, calls: int, threads: int) -> None:
    numbers = count()

    def work() -> None:
        with requests.Session() as session:
            session.trust_env = False
            while (number := next(numbers)) < calls:
                body = {"name": f"nome.cognome{number}@tsrm.org"}
                headers = {"Authorization": "Bearer x"}
                answer = session.post(url + PATH, json=body, headers=headers, timeout=(3, 20))
                assert answer.json()["data"]["status"] == "Certificato"

    crew = [threading.Thread(target=work) for _thread in range(threads)]
    sys.stdin.readline()
    began, used = time.monotonic(), time.process_time()
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    print(json.dumps({"seconds": time.monotonic() - began, "cpu": time.process_time() - used}), flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
