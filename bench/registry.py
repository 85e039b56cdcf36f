"""The image of the pull: six layers of this host's files, in Debian's docker-registry."""

import gzip
import hashlib
import http.client
import json
import os
import pathlib
import subprocess
import tarfile
import time


class Registry:
    """Debian's docker-registry on a free network namespace's loopback, with state of its own."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder, "registry")
        self.port = 5999

    def __enter__(self):
        self.folder.mkdir()
        configuration = self.folder / "config.yml"
        configuration.write_text(f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {self.folder}/data}}}}\nhttp: {{addr: \"127.0.0.1:{self.port}\"}}\n")
        self.process = subprocess.Popen(["docker-registry", "serve", configuration], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            try:
                self.request("GET", "/v2/")
                return self
            except OSError:
                time.sleep(0.1)
        self.process.kill()
        raise RuntimeError("docker-registry did not come up")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        answer.read()
        return answer

    def put_blob(self, content):
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        location = self.request("POST", "/v2/bench/blobs/uploads/").headers["Location"]
        path = location[location.index("/v2/"):]
        answer = self.request("PUT", f"{path}&digest={digest}", content, {"Content-Type": "application/octet-stream"})
        assert answer.status == 201, answer.status
        return digest

    def push_layers(self):
        layers, diffs, total = [], [], 0
        for number, members in enumerate(pick_members()):
            plain = self.folder / "layer.tar"
            with tarfile.open(plain, "w") as archive:
                for member in members:
                    archive.add(member, recursive=False)
            content = plain.read_bytes()
            total += len(content)
            packed = gzip.compress(content, 6, mtime=0)
            diffs.append("sha256:" + hashlib.sha256(content).hexdigest())
            layers.append({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": self.put_blob(packed), "size": len(packed)})
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": diffs}}).encode()
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": layers,
                    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": self.put_blob(config), "size": len(config)}}
        answer = self.request("PUT", "/v2/bench/manifests/1", json.dumps(manifest), {"Content-Type": manifest["mediaType"]})
        assert answer.status == 201, answer.status
        self.image = f"{len(layers)} layers, {total / 1e6:.0f} MB, {sum(layer['size'] for layer in layers) / 1e6:.0f} MB compressed"
        return f"127.0.0.1:{self.port}/bench:1"


def pick_members():
    """Files of this host's /usr, in six groups of about 55 MB."""
    groups, current, size = [], [], 0
    for folder, folders, files in os.walk("/usr"):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(folder, name)
            status = os.lstat(path)
            if status.st_size > 20 << 20:
                continue
            current.append(path)
            size += status.st_size
            if size > 55 << 20:
                groups.append(current)
                current, size = [], 0
                if len(groups) == 6:
                    return groups
    raise RuntimeError("/usr of this host is too small for the image of the pull")
