"""Measures berth and its peers side by side, interleaved, and compares the medians with the aims.

Runs inside private mount and network namespaces (see bench/run). Every engine has its own state directories below a
temporary folder, which is removed at the end; only processes that were started here are ended.
"""

import argparse
import concurrent.futures
import datetime
import os
import pathlib
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from peers import IMAGE, Berth, Crun, Docker, Podman, call, make_rootfs
from registry import Registry

NAMES = ["transport", "run", "bridge", "detached", "execute", "many", "list", "memory", "daemon", "pull"]


def timed(action):
    """Milliseconds that an action took."""
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1000


def private_kib(process):
    """Memory that goes with a process."""
    lines = pathlib.Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.missed, self.rows, self.engines, self.crun = [], [], [], None

    def start(self):
        folder = self.folder
        pathlib.Path(folder, "empty").touch()
        self.crun = Crun(folder, make_rootfs(folder))
        self.berth = Berth(self.options.binary, folder)
        for make in (lambda: self.berth, lambda: Docker(folder), lambda: Podman(folder)):
            self.engines.append(make())
            self.engines[-1]("import", f"{folder}/rootfs.tar", IMAGE)

    def stop(self):
        for part in [*self.engines, *([self.crun] if self.crun else [])]:
            try:
                part.stop()
            except Exception as error:  # What follows is stopped all the same.
                print(f"{part}: {error}", file=sys.stderr)

    # -- how it is told -----------------------------------------------------------------------------------------------

    def compare(self, name, actions, runs, aims):
        """Interleaves actions, each of which gives milliseconds, and judges their medians."""
        samples = {who: [] for who in actions}
        for number in range(runs + 1):
            for who, action in actions.items():
                value = action()
                # The first round warms caches.
                if number > 0:
                    samples[who].append(value)
        self.judge(name, {who: statistics.median(values) for who, values in samples.items()}, runs, aims)

    def judge(self, name, medians, runs, aims):
        """One row. `aims` maps a peer, or `best` for the better engine, to the largest ratio of ours to theirs."""
        verdicts = []
        for peer, aim in aims.items():
            theirs = min(medians["docker"], medians["podman"]) if peer == "best" else medians[peer]
            ratio = medians["berth"] / theirs
            verdicts.append(self.verdict(name, ratio <= aim, f"{ratio:.3f} × {peer if peer != 'best' else 'the best engine'} (aim {aim})"))
        self.row(name, medians, verdicts, runs)

    def bound(self, name, value, limit, runs):
        """A row whose aim is a figure."""
        self.row(name, {"berth": value}, [self.verdict(name, value <= limit, f"aim {limit}")], runs)

    def verdict(self, name, met, text):
        if not met:
            self.missed.append(name)
        return text if met else f"{text} MISSED"

    def row(self, name, figures, verdicts, runs):
        self.rows.append((name, figures, verdicts, runs))
        print(f"{name:36} {', '.join(f'{who} {value:.2f}' for who, value in figures.items())}   {'; '.join(verdicts)}   [{runs} runs]", flush=True)

    def versions(self):
        return [engine.version() for engine in self.engines] + [call(["crun", "--version"]).splitlines()[0]]

    def markdown(self, path):
        """Replaces the table in a file, between its two marks."""
        load = os.getloadavg()[0]
        lines = [f"{datetime.date.today()}, Linux {platform.release()}, {os.cpu_count()} processors ({processor()}), load {load:.1f} at the end. Medians, interleaved.",
                 "", "; ".join(self.versions()) + ".", "", "| what | berth | docker | podman | crun | verdict | runs |", "|---|---|---|---|---|---|---|"]
        for name, figures, verdicts, runs in self.rows:
            cells = [f"{figures[who]:.2f}" if who in figures else "" for who in ("berth", "docker", "podman", "crun")]
            lines.append(f"| {name} | {' | '.join(cells)} | {'; '.join(verdicts)} | {runs} |")
        file = pathlib.Path(path)
        text = file.read_text() if file.exists() else "<!-- figures -->\n<!-- end of figures -->\n"
        before, _, rest = text.partition("<!-- figures -->")
        _, _, after = rest.partition("<!-- end of figures -->")
        file.write_text(f"{before}<!-- figures -->\n" + "\n".join(lines) + f"\n<!-- end of figures -->{after}")

    # -- what is measured ---------------------------------------------------------------------------------------------

    def each(self, action):
        """The action for each engine, timed."""
        return {engine.name: (lambda engine=engine: timed(lambda: action(engine))) for engine in self.engines}

    def transport(self):
        """What the way through the API inside of one process costs, opening the engine included."""
        runs = self.options.runs
        bare = [timed(lambda: self.berth.time("--version")) for _ in range(runs)]
        whole = [timed(lambda: self.berth.time("volume", "ls")) for _ in range(runs)]
        self.bound("in-process transport, ms", statistics.median(whole) - statistics.median(bare), 1.0, runs)

    def run(self):
        actions = self.each(lambda engine: engine.time("run", "--rm", "--network", "none", IMAGE, "true"))
        actions["crun"] = self.crun.milliseconds
        self.compare("run --rm --network none, ms", actions, self.options.runs, {"best": 0.05, "crun": 1.5})

    def bridge(self):
        """The default network of each engine, with a published port and without."""
        actions = self.each(lambda engine: engine.time("run", "--rm", IMAGE, "true"))
        actions["crun"] = self.crun.milliseconds
        self.compare("run --rm on the default bridge, ms", actions, self.options.runs, {"best": 0.05, "crun": 2.5})

        def published(engine):
            engine.time("run", "-d", "--name", "bench", "-p", "8080:80", IMAGE, "sleep", "1000")
            engine.time(*engine.force, "bench")
        self.compare("run -d -p 8080:80 and rm -f, ms", self.each(published), self.options.runs, {"best": 0.05})

    def detached(self):
        def cycle(engine):
            engine.time("run", "-d", "--name", "bench", "--network", "none", IMAGE, "sleep", "1000")
            engine.time(*engine.force, "bench")
        self.compare("run -d and rm -f, ms", self.each(cycle), self.options.runs, {"best": 0.05})

    def execute(self):
        for engine in self.engines:
            engine("run", "-d", "--name", "bench", "--network", "none", IMAGE, "sleep", "10000")
        self.compare("exec, ms", self.each(lambda engine: engine.time("exec", "bench", "true")), self.options.runs, {"best": 0.05})
        for engine in self.engines:
            engine(*engine.force, "bench")

    def many(self):
        def burst(engine):
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                list(pool.map(lambda number: engine.time("run", "-d", "--name", f"bench{number}", "--network", "none", IMAGE, "sleep", "1000"), range(50)))
                list(pool.map(lambda number: engine.time(*engine.force, f"bench{number}"), range(50)))
        self.compare("50 containers at once, ms", self.each(burst), max(3, self.options.runs // 10), {"docker": 0.2})

    def list(self):
        for count in (5, 500):
            for engine in self.engines:
                have = len(engine("ps", "-aq").splitlines())
                with concurrent.futures.ThreadPoolExecutor(4) as pool:
                    list(pool.map(lambda _: engine.time("create", "--network", "none", IMAGE, "true"), range(count - have)))
            self.compare(f"ps -a with {count} containers, ms", self.each(lambda engine: engine.time("ps", "-a")), self.options.runs, {"best": 1.0})
        self.compare("run --rm beside 500 containers, ms", self.each(lambda engine: engine.time("run", "--rm", "--network", "none", IMAGE, "true")),
                     max(3, self.options.runs // 3), {"best": 0.05})
        for engine in self.engines:
            engine.remove_containers()

    def memory(self):
        ids = [self.berth("run", "-d", "--network", "none", IMAGE, "sleep", "1000") for _ in range(5)]
        parents = [pathlib.Path(f"/proc/{self.berth('inspect', '--format', '{{.State.Pid}}', id)}/stat").read_text().rsplit(")", 1)[1].split()[1] for id in ids]
        private = statistics.median(private_kib(process) for process in parents)
        self.berth("rm", "-f", *ids)
        self.bound("private memory of a supervisor, KiB", private, 2048, len(ids))

    def daemon(self):
        socket = f"{self.folder}/berth.sock"
        daemon = subprocess.Popen([*self.berth.prefix, "daemon", "-H", f"unix://{socket}"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(100):
                if os.path.exists(socket):
                    break
                time.sleep(0.05)
            call([self.berth.prefix[0], "--host", f"unix://{socket}", "ps", "-a"])
            self.bound("private memory of an idle daemon, KiB", private_kib(daemon.pid), 15 * 1024, 1)
        finally:
            daemon.terminate()
            daemon.wait(30)

    def pull(self):
        with Registry(self.folder) as registry:
            image = registry.push_layers()

            def cold(engine):
                engine.forget_images()
                call(["sync"])
                pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
                return timed(lambda: engine.time("pull", *engine.plain_http, "-q", image))
            actions = {engine.name: (lambda engine=engine: cold(engine)) for engine in self.engines}
            self.compare(f"cold pull ({registry.image}), ms", actions, max(3, self.options.runs // 10), {"best": 0.5})
            for engine in self.engines:
                engine.forget_images()


def processor():
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def remove(folder):
    """Podman and docker leave mounts below their folders, in this mount namespace only."""
    for _ in range(20):
        for point in sorted((line.split()[4] for line in open("/proc/self/mountinfo")), reverse=True):
            if point.startswith(f"{folder}/"):
                subprocess.run(["umount", "-l", point], capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.exists(folder):
            return
        time.sleep(0.2)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--markdown", help="file whose table is replaced")
    parser.add_argument("--serve-crun", help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", help=" ".join(NAMES))
    options = parser.parse_args()
    if options.serve_crun:
        return Crun.serve(options.serve_crun, sys.stdin, sys.stdout)
    # A signal ends the engines that were started as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    call(["ip", "link", "set", "lo", "up"])
    folder = tempfile.mkdtemp(prefix="berth-bench-", dir="/var/tmp")
    bench = Bench(options, folder)
    try:
        bench.start()
        print(f"{platform.release()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}; " + "; ".join(bench.versions()), flush=True)
        for name in options.names or NAMES:
            getattr(bench, name)()
        if options.markdown:
            bench.markdown(options.markdown)
    finally:
        bench.stop()
        remove(folder)
    if bench.missed:
        sys.exit("missed: " + ", ".join(dict.fromkeys(bench.missed)))


main()
