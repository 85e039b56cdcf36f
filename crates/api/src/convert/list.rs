//! Lists of containers.

use base::duration::format_human;
use base::time::Timestamp;
use engine::containers::{MountPoint, Status, Summary};

use super::signed;
use crate::types::{self, ContainerSummary, SummaryHostConfig, SummaryNetworks};

pub(crate) fn summary(summary: Summary) -> ContainerSummary {
    let status = status(&summary, Timestamp::now());
    ContainerSummary {
        id: summary.id.to_string(),
        names: vec![format!("/{}", summary.name)],
        image: summary.image,
        image_id: summary.image_id,
        command: command(&summary.command),
        created: summary.created.unix_seconds(),
        ports: summary.ports.into_iter().map(super::network::port).collect(),
        size_rw: summary.size_writable.map(signed),
        size_root_fs: summary.size_root.map(signed),
        labels: summary.labels,
        state: summary.status.as_str().to_owned(),
        status,
        network_settings: SummaryNetworks {
            networks: summary.networks.into_iter().map(|(name, own)| (name, super::network::endpoint(own))).collect(),
        },
        host_config: SummaryHostConfig { network_mode: summary.network_mode },
        mounts: summary.mounts.into_iter().map(mount).collect(),
    }
}

/// One mount.
pub(crate) fn mount(mount: MountPoint) -> types::MountPoint {
    types::MountPoint {
        kind: mount.kind,
        name: mount.name,
        source: mount.source,
        destination: mount.destination,
        driver: mount.driver,
        mode: mount.mode,
        rw: mount.writable,
        propagation: mount.propagation,
    }
}

/// The command line as one text, in which arguments with spaces stand in quotes.
fn command(words: &[String]) -> String {
    let mut words = words.iter();
    let program = words.next().cloned().unwrap_or_default();
    words.fold(program, |line, word| match word.contains(' ') {
        true => format!("{line} '{word}'"),
        false => format!("{line} {word}"),
    })
}

/// The state for people, as of `now`.
fn status(summary: &Summary, now: Timestamp) -> String {
    let since = |time: Timestamp| format_human(now.since(time));
    let code = summary.exit_code;
    match summary.status {
        Status::Created => "Created".to_owned(),
        Status::Running => format!("Up {}", since(summary.started)),
        Status::Paused => format!("Up {} (Paused)", since(summary.started)),
        Status::Restarting => format!("Restarting ({code}) {} ago", since(summary.finished)),
        Status::Removing => "Removal In Progress".to_owned(),
        Status::Dead => "Dead".to_owned(),
        Status::Exited if summary.finished.is_zero() => "Created".to_owned(),
        Status::Exited => format!("Exited ({code}) {} ago", since(summary.finished)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::id::Id;
    use engine::networks::{Port, Protocol};
    use std::time::Duration;

    fn example(status: Status) -> Summary {
        let id: Id = "ab".repeat(32).parse().unwrap();
        let now = Timestamp::from_unix(1_700_000_000, 0);
        Summary {
            id,
            name: "web".to_owned(),
            image: "alpine".to_owned(),
            image_id: "sha256:1".to_owned(),
            command: ["sh", "-c", "sleep 1"].map(str::to_owned).into(),
            created: now,
            status,
            exit_code: 3,
            started: now,
            finished: now.plus(Duration::from_secs(60)),
            labels: Default::default(),
            network_mode: "default".to_owned(),
            mounts: Vec::new(),
            networks: [("bridge".to_owned(), Default::default())].into(),
            ports: vec![Port { number: 80, protocol: Protocol::Tcp, host: Some(([127, 0, 0, 1], 8080).into()) }],
            exposed_ports: Vec::new(),
            published_ports: Vec::new(),
            size_writable: None,
            size_root: None,
        }
    }

    #[test]
    fn states_are_dockers_words() {
        let now = Timestamp::from_unix(1_700_000_180, 0);
        let table = [
            (Status::Created, "Created"),
            (Status::Running, "Up 3 minutes"),
            (Status::Paused, "Up 3 minutes (Paused)"),
            (Status::Restarting, "Restarting (3) 2 minutes ago"),
            (Status::Exited, "Exited (3) 2 minutes ago"),
            (Status::Dead, "Dead"),
        ];
        for (state, expected) in table {
            assert_eq!(status(&example(state), now), expected);
        }
    }

    #[test]
    fn a_line_is_dockers_json() {
        let value = serde_json::to_value(summary(example(Status::Running))).unwrap();
        assert_eq!(value["Names"], serde_json::json!(["/web"]));
        assert_eq!(value["Command"], "sh -c 'sleep 1'");
        assert_eq!(value["ImageID"], "sha256:1");
        assert_eq!(value["HostConfig"]["NetworkMode"], "default");
        assert_eq!(value["NetworkSettings"]["Networks"]["bridge"]["IPAddress"], "");
        assert_eq!(
            value["Ports"],
            serde_json::json!([{"IP": "127.0.0.1", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}])
        );
        assert!(value.get("SizeRw").is_none());
    }
}
