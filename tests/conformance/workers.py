# SPDX-License-Identifier: Apache-2.0
"""Work in processes of its own, so that a call that PyTorch dies or hangs on is left out and the rest goes on."""
import json
import os
import pathlib
import signal
import tempfile
import traceback


class Steps:
    """Which steps of a job are begun, in a file: what bears the name of one that killed an earlier try is left out."""

    def __init__(self, file):
        self.file, self.count = file, 0
        self.fatal = set(json.loads(file.read_text())["fatal"]) if file.exists() else set()

    def next(self, name, seconds=30):
        """Whether to take the next step."""
        signal.alarm(seconds)
        self.count += 1
        at = f"{self.count} {name}"
        if at in self.fatal or sum(f.split()[1] == at.split()[1] for f in self.fatal) > 0:
            return False
        self.file.write_text(json.dumps({"fatal": sorted(self.fatal), "at": at}))
        return True

    def died(self):
        """Notes the step that killed the last try; False if there was none."""
        at = json.loads(self.file.read_text())["at"] if self.file.exists() else None
        if at is None or at in self.fatal:
            return None
        self.file.write_text(json.dumps({"fatal": sorted(self.fatal | {at}), "at": None}))
        return at


def results(jobs, work, processes=2):
    """(job, what work(job, steps) returned) for each job, in no order."""
    waiting, running = list(enumerate(jobs)), {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        while waiting or running:
            while waiting and len(running) < processes:
                number, job = waiting.pop(0)
                pid = os.fork()
                if pid == 0:
                    code = 1
                    try:
                        answer = work(job, Steps(folder / f"{number}.at"))
                        (folder / str(number)).write_text(json.dumps(answer))
                        code = 0
                    except Exception:  # noqa: BLE001: told, and the exit code says that there is no answer
                        traceback.print_exc()
                        code = 2
                    os._exit(code)
                running[pid] = (number, job)
            pid, status = os.wait()
            number, job = running.pop(pid)
            if status == 0:
                yield job, json.loads((folder / str(number)).read_text())
                continue
            at = None if os.waitstatus_to_exitcode(status) == 2 else Steps(folder / f"{number}.at").died()
            if at is None:
                raise RuntimeError(f"the work on {job[0]} failed")
            print(f"left out: {at}: PyTorch dies or hangs", flush=True)
            waiting.insert(0, (number, job))
