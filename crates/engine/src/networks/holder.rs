//! Who has a port that could not be taken: for the message alone.

use std::ops::RangeInclusive;
use std::os::unix::fs::MetadataExt;

use base::{Error, Kind};
use network::lease::PortRequest;
use network::port::Protocol;

use crate::Engine;

impl Engine {
    /// `error` with the name of the container or the process that has one of the ports, where that can be found.
    pub(super) fn with_holder(&self, error: Error, requests: &[PortRequest]) -> Error {
        if error.kind() != Kind::Conflict {
            return error;
        }
        let fixed = requests.iter().filter(|request| request.candidates != (0..=0));
        for request in fixed {
            if let Some(name) = self.container_with(request) {
                return Error::new(error.kind(), format!("{error}: container {name} has it"));
            }
            if let Some((name, pid)) = process_with(request.protocol, &request.candidates) {
                return Error::new(error.kind(), format!("{error}: process {name} (pid {pid}) has it"));
            }
        }
        error
    }

    fn container_with(&self, request: &PortRequest) -> Option<String> {
        for id in self.root.container_ids().ok()? {
            let Ok(Some(container)) = self.root.load(&id) else { continue };
            let is_alive = base::lock::Lock::is_held(container.directory(), crate::layout::ALIVE).unwrap_or_default();
            let Ok(sandbox) = container.sandbox() else { continue };
            let mut published = sandbox.endpoints.iter().flat_map(|endpoint| &endpoint.published);
            let has_it = published.any(|port| {
                port.protocol == request.protocol
                    && port.host_ports.start() <= request.candidates.end()
                    && request.candidates.start() <= port.host_ports.end()
            });
            if is_alive && has_it {
                return Some(container.name().to_owned());
            }
        }
        None
    }
}

/// A process of this network namespace with a socket on one of `ports`, as proc_net(5) and proc_pid_fd(5) show it.
fn process_with(protocol: Protocol, ports: &RangeInclusive<u16>) -> Option<(String, u32)> {
    let tables = match protocol {
        Protocol::Tcp => ["/proc/self/net/tcp", "/proc/self/net/tcp6"],
        Protocol::Udp => ["/proc/self/net/udp", "/proc/self/net/udp6"],
        Protocol::Sctp => return None,
    };
    let inodes: Vec<u64> = tables
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| table.lines().skip(1).filter_map(|line| inode_on(line, protocol, ports)).collect::<Vec<_>>())
        .collect();
    if inodes.is_empty() {
        return None;
    }
    for entry in std::fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(descriptors) = std::fs::read_dir(entry.path().join("fd")) else { continue };
        let has_it = descriptors.flatten().any(|descriptor| {
            std::fs::metadata(descriptor.path()).is_ok_and(|metadata| inodes.contains(&metadata.ino()))
        });
        if has_it {
            let name = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            return Some((name.trim().to_owned(), pid));
        }
    }
    None
}

/// The socket of a line, where it is on one of `ports` and, for TCP, listens.
fn inode_on(line: &str, protocol: Protocol, ports: &RangeInclusive<u16>) -> Option<u64> {
    const LISTENS: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (_, port) = fields.get(1)?.rsplit_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let is_held = protocol != Protocol::Tcp || *fields.get(3)? == LISTENS;
    if ports.contains(&port) && is_held { fields.get(9)?.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_table() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0";
        assert_eq!(inode_on(line, Protocol::Tcp, &(8080..=8080)), Some(4711));
        assert_eq!(inode_on(line, Protocol::Tcp, &(8081..=8090)), None);
        assert_eq!(inode_on(&line.replace(" 0A ", " 01 "), Protocol::Tcp, &(8080..=8080)), None);
        assert_eq!(inode_on("", Protocol::Tcp, &(0..=9)), None);
    }

    #[test]
    fn a_process_of_ours() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        assert_eq!(process_with(Protocol::Tcp, &(port..=port)).unwrap().1, std::process::id());
    }
}
