"""What the word count tests share: starting jobs, looking at them while they run, and judging.

A job is started as its user starts it, by `aimss launch`. Slow machines are fine: whatever must
happen while a job runs is done while its ranks are frozen, so no test depends on who is faster.
"""

import atexit
import glob
import json
import os
import re
import signal
import subprocess
import sys
import time

BIN = os.path.join(os.environ["TEST_BUILD"], "bin")
AIMSS, WORDCOUNT = os.path.join(BIN, "aimss"), os.path.join(BIN, "aimss-wordcount")
SPACE = b" \t\n\v\f\r"
START_S, JOB_S = 60, 60
failures = []


def check(what, good, *details):
    if not good:
        failures.append(what)
        print("FAILED:", what, *details, flush=True)


def finish():
    print("failed: " + "; ".join(failures) if failures else "all passed", flush=True)
    sys.exit(1 if failures else 0)


def wait_until(condition, limit_s=START_S):
    """Returns what the condition gave, or something false when time is up."""
    deadline = time.monotonic() + limit_s
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.002)
    return met


def write(path, content):
    if os.path.dirname(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
    return path


def read(path):
    with open(path, "rb") as file:
        return file.read()


def shm_files():
    return set(glob.glob("/dev/shm/aimss-*"))


def stat_of(pid):
    """Returns [state, parent, ...] of a process; an empty list if there is none."""
    try:
        return read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    except OSError:
        return []


def is_alive(pid):
    return stat_of(pid)[:1] not in ([], [b"Z"])


def descendants(root):
    parent = {int(pid): int(stat[1]) for pid in os.listdir("/proc") if pid.isdigit()
              and (stat := stat_of(pid)) and stat[0] != b"Z"}
    below = {root}
    while more := {pid for pid in parent if parent[pid] in below} - below:
        below |= more
    return below - {root}


class Job:
    """A job that was launched; wait() ends it and says how."""

    def __init__(self, directory, inputs, *options, ranks=4, env=None, programs=(AIMSS, WORDCOUNT),
                 wrapper=()):
        self.directory, self.inputs = directory, set(map(os.path.realpath, inputs))
        self.log = f"{directory.replace('/', '_')}.log"
        words = [programs[0], "launch", "-n", str(ranks), programs[1]]
        if inputs:
            words += ["--input", *inputs]
        words += ["--job", directory, *options]
        self.start = time.monotonic()
        with open(self.log + ".out", "wb") as out, open(self.log + ".err", "wb") as err:
            self.launcher = subprocess.Popen([*wrapper, *words], stdout=out, stderr=err,
                                             stdin=subprocess.DEVNULL,
                                             env=dict(os.environ, **(env or {})))
        self.ranks_by_number, self.seen = {}, set()
        self.arenas = set()
        atexit.register(self.kill)

    def out(self):
        return read(self.log + ".out").decode(errors="replace")

    def err(self):
        return read(self.log + ".err").decode(errors="replace")

    def text(self):
        return f"exit {self.code}, {self.seconds:.1f} s\n{self.out()[-3000:]}\n{self.err()}"

    def find_ranks(self):
        self.seen |= descendants(self.launcher.pid)
        for pid in self.seen - set(self.ranks_by_number.values()):
            try:
                if os.path.basename(os.readlink(f"/proc/{pid}/exe")) != "aimss-wordcount":
                    continue
                rank = re.search(rb"(?:OMPI_COMM_WORLD_RANK|PMI_RANK)=(\d+)",
                                 read(f"/proc/{pid}/environ"))
            except OSError:
                continue
            if rank:
                self.ranks_by_number[int(rank[1])] = pid
        return self.ranks_by_number

    def own_arenas(self):
        """The arenas that this job's ranks have mapped: {rank: path}. A rank's map may not know
        the file's name, because it got one when it was complete."""
        paths = {os.stat(path).st_ino: path for path in shm_files() if path.endswith(".arena")}
        for pid in self.find_ranks().values():
            try:
                maps = read(f"/proc/{pid}/maps")
            except OSError:
                continue
            inodes = {int(line.split()[4]) for line in maps.splitlines()}
            self.arenas |= {paths[inode] for inode in inodes & set(paths)}
        return {int(re.search(r"-r(\d+)\.arena$", path)[1]): path for path in self.arenas}

    def threads(self, rank, name):
        """How many threads of that name the rank has."""
        comms = glob.glob(f"/proc/{self.ranks_by_number[rank]}/task/*/comm")
        return sum(read(comm).decode().strip() == name for comm in comms)

    def signal_ranks(self, number, ranks=None):
        for rank in ranks if ranks is not None else list(self.ranks_by_number):
            try:
                os.kill(self.ranks_by_number[rank], number)
            except ProcessLookupError:
                pass

    def reads_an_input(self):
        """Whether a rank has one of the inputs open: then all have started."""
        for pid in self.ranks_by_number.values():
            for fd in glob.glob(f"/proc/{pid}/fd/*"):
                try:
                    if os.path.realpath(fd) in self.inputs:
                        return True
                except OSError:
                    pass
        return False

    def freeze(self, ranks):
        """Waits until all ranks are at work and stops them; false if the job ended before."""
        def ended():
            return self.launcher.poll() is not None
        wait_until(lambda: len(self.find_ranks()) == ranks or ended())
        wait_until(lambda: self.reads_an_input() or ended())
        self.signal_ranks(signal.SIGSTOP)
        self.own_arenas()
        return self.launcher.poll() is None and len(self.ranks_by_number) == ranks

    def thaw(self, ranks=None):
        self.signal_ranks(signal.SIGCONT, ranks)

    def kill(self):
        """Leaves nothing behind, whatever went wrong."""
        for pid in self.seen | ({self.launcher.pid} if self.launcher.poll() is None else set()):
            if pid == self.launcher.pid or is_alive(pid) and b"aimss" in read_command(pid):
                os.kill(pid, signal.SIGKILL)

    def wait(self, limit_s=JOB_S):
        try:
            self.code = self.launcher.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill()
            self.launcher.wait()
            self.code = f"none within {limit_s} s"
        self.seconds = time.monotonic() - self.start
        self.result = None
        try:
            with open(os.path.join(self.directory, "result.json")) as file:
                self.result = json.load(file)
        except (OSError, ValueError):
            pass
        return self


def read_command(pid):
    try:
        return read(f"/proc/{pid}/cmdline")
    except OSError:
        return b""


def table_of(directory):
    return os.path.join(directory, "out", "wordcount.tsv")
