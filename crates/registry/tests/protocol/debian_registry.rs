//! Debian's `docker-registry` on a free port of this machine.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running registry; it ends with its value.
pub struct DebianRegistry {
    child: Child,
    folder: PathBuf,
    port: u16,
}

impl DebianRegistry {
    /// Starts one whose configuration gets the lines of `more`, which see the folder.
    pub fn start(name: &str, more: impl Fn(&Path) -> String) -> Self {
        let folder = std::env::temp_dir().join(format!("registry-debian-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let more = more(&folder);
        let storage = folder.join("storage");
        let configuration = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:{port}\n{more}",
            storage.display()
        );
        std::fs::write(folder.join("config.yml"), configuration).unwrap();
        let child = Command::new("docker-registry")
            .args(["serve", folder.join("config.yml").to_str().unwrap()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.join("log")).unwrap())
            .spawn()
            .expect("docker-registry is installed");
        let registry = Self { child, folder, port };
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return registry;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{}", std::fs::read_to_string(registry.folder.join("log")).unwrap());
    }

    /// The reference of a repository in it.
    pub fn name(&self, repository: &str) -> String {
        format!("127.0.0.1:{}/{repository}", self.port)
    }

    /// The head and the body of what it answers to a client that takes this media type only.
    #[allow(dead_code)]
    pub fn get(&self, path: &str, accept: &str) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let fields = format!("Host: 127.0.0.1\r\nAccept: {accept}\r\nConnection: close");
        write!(stream, "GET {path} HTTP/1.1\r\n{fields}\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|part| part == b"\r\n\r\n").unwrap() + 4;
        let body = answer.split_off(end);
        (String::from_utf8(answer).unwrap(), body)
    }
}

impl Drop for DebianRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
