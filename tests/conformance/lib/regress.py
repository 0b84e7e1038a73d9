"""Runs pg_regress's schedule against one port and keeps what it found."""

import os
import re
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from server import Process, as_postgres, own_by_postgres

DATABASE = "regression"
RESULT_LINE = re.compile(r"^(?:test)?\s+(\S+)\s+\.\.\. (ok|FAILED|failed \(ignored\))")
DIFF_HEADER = re.compile(r"^diff -U3 (\S+) (\S+)$", re.M)


@dataclass
class Outcome:
    directory: Path
    passed: set = field(default_factory=set)
    failed: set = field(default_factory=set)
    hung: set = field(default_factory=set)    # ended because one statement or wait took too long; also in failed
    seconds: float = 0.0
    released: float = 100.0                   # percent, and sessions that stayed on one server: observe.report()
    narrow: list = field(default_factory=list)
    complete: bool = True                     # pg_regress came to its end


def write_schedule(suite, directory, wanted):
    """parallel_schedule, or only the wanted tests (and test_setup, which all need) in its order. Returns (file, names)."""
    lines, names = [], []
    for line in (suite.regress_dir / "parallel_schedule").read_text().splitlines():
        if not line.startswith("test:"):
            continue
        group = [name for name in line[5:].split() if not wanted or name in wanted or name == "test_setup"]
        names += group
        lines += [f"test: {' '.join(group)}"] if group else []
    unknown = set(wanted) - set(names)
    if unknown:
        raise SystemExit(f"not in parallel_schedule: {', '.join(sorted(unknown))}")
    file = directory / "schedule"
    file.write_text("\n".join(lines) + "\n")
    return file, names


def scheduled(suite):
    """The names in parallel_schedule, in its order."""
    lines = (suite.regress_dir / "parallel_schedule").read_text().splitlines()
    return [name for line in lines if line.startswith("test:") for name in line[5:].split()]


def children(pid):
    """Process ids of all descendants."""
    found = []
    for task in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = task.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            child = int(task.parent.name)
            found += [child, *children(child)]
    return found


class HangGuard(threading.Thread):
    """Ends a test's psql that runs longer than `limit` seconds, so that one hang does not stop the rest."""

    def __init__(self, pg_regress_pid, limit):
        super().__init__(daemon=True)
        self.pid, self.limit = pg_regress_pid, limit
        self.first_seen, self.hung = {}, set()
        self.over = threading.Event()

    def run(self):
        while not self.over.wait(1.0):
            now = time.monotonic()
            for pid in children(self.pid):
                if now - self.first_seen.setdefault(pid, now) < self.limit:
                    continue
                try:
                    test = os.path.basename(os.readlink(f"/proc/{pid}/fd/0"))
                    if test.endswith(".sql"):
                        self.hung.add(test[:-4])
                        os.kill(pid, 15)
                except OSError:
                    continue

    def stop(self):
        self.over.set()
        self.join()


def keep_diffs(outcome):
    """One file a failed test in diffs/: what pg_regress wrote about it (against the best of the expected files)."""
    directory = outcome.directory / "diffs"
    directory.mkdir(exist_ok=True)
    diffs = outcome.directory / "regression.diffs"
    if not diffs.exists():
        return
    text = diffs.read_text(errors="replace")
    starts = list(DIFF_HEADER.finditer(text))
    for this, following in zip(starts, [*starts[1:], None]):
        name = Path(this.group(2)).stem
        (directory / f"{name}.diff").write_text(text[this.start():following.start() if following else len(text)])


def run_schedule(suite, port, directory, tests, connections, limit, label):
    """The schedule through `port`, at most `connections` tests at once. `limit`: seconds that one test may take."""
    directory = Path(directory)
    schedule, names = write_schedule(suite, directory, tests)
    outcome = Outcome(directory)
    own_by_postgres(directory)
    command = [suite.pg_regress, f"--inputdir={suite.regress_dir}", f"--outputdir={directory}", f"--bindir={suite.bin}",
               f"--dlpath={suite.build / 'lib'}", "--max-concurrent-tests=20", f"--max-connections={connections}",
               f"--schedule={schedule}", "--use-existing", f"--dbname={DATABASE}", "--host=127.0.0.1", f"--port={port}",
               "--user=postgres"]
    started = time.monotonic()
    process = Process(command, directory / "pg_regress.log", env=suite.environment(), cwd=directory, **as_postgres())
    guard = HangGuard(process.child.pid, limit)
    guard.start()
    total = max(limit, 120 * len(names))
    try:
        process.child.wait(total)
    except subprocess.TimeoutExpired:
        outcome.complete = False
    finally:
        guard.stop()
        process.stop()
    outcome.seconds = time.monotonic() - started
    outcome.hung = guard.hung
    for line in process.log.read_text(errors="replace").splitlines():
        match = RESULT_LINE.match(line)
        if match:
            (outcome.passed if match.group(2) == "ok" else outcome.failed).add(match.group(1))
    missing = set(names) - outcome.passed - outcome.failed
    if missing:
        outcome.complete = False
        outcome.failed |= missing
    keep_diffs(outcome)
    print(f"{label}: {len(outcome.passed)} of {len(names)} pass ({outcome.seconds:.0f} s)", flush=True)
    return outcome


def keep_comparison(direct, proxied, names):
    """compared/: for each name the difference between both runs' outputs, which leaves out what differs anyway."""
    directory = proxied.directory / "compared"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    for name in sorted(names):
        files = [outcome.directory / "results" / f"{name}.out" for outcome in (direct, proxied)]
        if all(file.exists() for file in files):
            done = subprocess.run(["diff", "-U3", *files], stdout=subprocess.PIPE)
            (directory / f"{name}.diff").write_bytes(done.stdout)
