"""The engines that are measured: each with its own state below one folder, none with a service of the host's."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

IMAGE = "bench/busybox:1"


def call(command, **options):
    """Runs a command that must succeed and gives its output."""
    command = [str(word) for word in command]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout.strip()


def spawn(command, folder):
    """Runs a command that must succeed, with as little of our own as possible: for what is timed."""
    command = [str(word) for word in command]
    errors = f"{folder}/errors-{os.getpid()}"
    # A file instead of /dev/null as standard input: crun changes the owner of whatever it gets.
    actions = [(os.POSIX_SPAWN_OPEN, 0, f"{folder}/empty", os.O_RDONLY, 0),
               (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
               (os.POSIX_SPAWN_OPEN, 2, errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)]
    _, status = os.waitpid(os.posix_spawnp(command[0], command, os.environ, file_actions=actions), 0)
    if status != 0:
        raise RuntimeError(f"{' '.join(command)}: status {status}: {pathlib.Path(errors).read_text()[-2000:]}")


class Engine:
    """A command line that understands Docker's arguments."""

    # What a pull from a plain registry needs.
    plain_http = []
    # What removes at once.
    force = ["rm", "-f"]

    def __init__(self, name, prefix, folder):
        self.name, self.prefix, self.folder = name, [str(word) for word in prefix], folder

    def __call__(self, *arguments):
        return call([*self.prefix, *arguments])

    def time(self, *arguments):
        """As a call, without its output."""
        spawn([*self.prefix, *arguments], self.folder)

    def version(self):
        return self("--version").splitlines()[0]

    def forget_images(self):
        """Empties the image store."""
        images = sorted(set(self("images", "-q").splitlines()))
        if images:
            self("rmi", "-f", *images)

    def remove_containers(self):
        ids = self("ps", "-aq").splitlines()
        for start in range(0, len(ids), 50):
            self(*self.force, *ids[start:start + 50])

    def stop(self):
        self.remove_containers()


class Berth(Engine):
    def __init__(self, binary, folder):
        super().__init__("berth", [binary, "--root", f"{folder}/berth", "--runroot", f"{folder}/berth-run"], folder)


class Podman(Engine):
    plain_http = ["--tls-verify=false"]
    # Otherwise it waits ten seconds for a signal that the container's first process ignores.
    force = ["rm", "-f", "-t", "0"]

    def __init__(self, folder):
        arguments = ["--root", f"{folder}/podman", "--runroot", f"{folder}/podman-run", "--runtime", "runc", "--cgroup-manager", "cgroupfs",
                     "--network-config-dir", f"{folder}/podman-networks"]
        # Without this, podman raises limits that not every machine lets it raise, and wants systemd's journal.
        os.environ["CONTAINERS_CONF"] = f"{folder}/containers.conf"
        pathlib.Path(f"{folder}/containers.conf").write_text(
            '[containers]\ndefault_ulimits = ["nofile=1024:20000", "nproc=4096:4096"]\n[engine]\nevents_logger = "file"\n')
        super().__init__("podman", ["podman", *arguments], folder)


class Docker(Engine):
    def __init__(self, folder):
        socket = f"unix://{folder}/docker.sock"
        super().__init__("docker", ["/usr/bin/docker", "-H", socket], folder)
        configuration = {"default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 20000}}, "insecure-registries": ["127.0.0.0/8"]}
        pathlib.Path(f"{folder}/daemon.json").write_text(json.dumps(configuration))
        log = open(f"{folder}/dockerd.log", "w")
        self.daemon = subprocess.Popen(
            ["dockerd", "--config-file", f"{folder}/daemon.json", "-H", socket, "--data-root", f"{folder}/docker", "--exec-root", f"{folder}/docker-run",
             "-p", f"{folder}/dockerd.pid", "--bip", "10.201.0.1/16"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        for _ in range(300):
            if subprocess.run([*self.prefix, "version"], capture_output=True).returncode == 0:
                return
            time.sleep(0.2)
        self.daemon.kill()
        raise RuntimeError(f"dockerd did not come up: {pathlib.Path(f'{folder}/dockerd.log').read_text()[-2000:]}")

    def stop(self):
        super().stop()
        self.daemon.send_signal(signal.SIGTERM)
        self.daemon.wait(60)


def make_rootfs(folder):
    """A root file system of busybox, as a folder and as an archive."""
    root = pathlib.Path(folder, "rootfs")
    for name in ("bin", "etc", "tmp", "proc", "sys", "dev"):
        (root / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    for applet in ("sh", "true", "sleep", "echo"):
        (root / "bin" / applet).symlink_to("busybox")
    call(["tar", "-C", root, "-cf", f"{folder}/rootfs.tar", "."])
    return root


class Crun:
    """The bundle of `crun spec` without its limits, run by crun alone: the bare runtime.

    crun refuses hybrid control groups, so it runs in a mount namespace in which the unified hierarchy is covered. Entering that costs nothing that is
    measured: this very program lives there (see `serve`), starts crun whenever it is told to, and answers with the milliseconds.
    """

    def __init__(self, folder, root):
        self.bundle = pathlib.Path(folder, "bundle")
        self.bundle.mkdir()
        call(["crun", "spec"], cwd=self.bundle)
        spec = json.loads((self.bundle / "config.json").read_text())
        spec["process"] |= {"args": ["true"], "terminal": False}
        # Raising limits is refused on some machines.
        spec["process"].pop("rlimits", None)
        spec["root"]["path"] = str(root)
        (self.bundle / "config.json").write_text(json.dumps(spec))
        unified = "/sys/fs/cgroup/unified"
        cover = f"mount -t tmpfs none {unified} && " if os.path.ismount(unified) else ""
        program = pathlib.Path(__file__).with_name("measure.py")
        self.server = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", f'{cover}exec "$@"', "sh", "python3", "-B", str(program), "--serve-crun", folder],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def milliseconds(self):
        self.server.stdin.write("run\n")
        self.server.stdin.flush()
        answer = self.server.stdout.readline()
        if not answer:
            raise RuntimeError("crun failed")
        return float(answer)

    def stop(self):
        self.server.stdin.close()
        self.server.wait(10)

    @staticmethod
    def serve(folder, requests, answers):
        for number, _ in enumerate(requests):
            command = ["crun", "--root", f"{folder}/crun", "run", "--bundle", f"{folder}/bundle", f"bench{number}"]
            start = time.perf_counter()
            spawn(command, folder)
            answers.write(f"{(time.perf_counter() - start) * 1000}\n")
            answers.flush()
