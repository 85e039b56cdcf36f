//! Images.

use base::time::Timestamp;
use engine::images::{HistoryEntry, ImageDetails, ImageSummary, RemovedImage};
use oci::config::Execution;

use super::signed;
use crate::types::{self, Empty, GraphDriver, ImageConfig, ImageMetadata, ManifestDescriptor, RootFileSystem};

pub(crate) fn summary(summary: ImageSummary) -> types::ImageSummary {
    types::ImageSummary {
        id: summary.id.to_string(),
        parent_id: String::new(),
        repo_tags: summary.tags,
        repo_digests: summary.repository_digests,
        created: seconds(summary.created),
        size: signed(summary.size),
        shared_size: -1,
        labels: (!summary.labels.is_empty()).then_some(summary.labels),
        containers: signed(summary.containers),
    }
}

/// Seconds since 1970; 0 for *never*, as old clients cannot read years before it.
fn seconds(time: Timestamp) -> i64 {
    if time.is_zero() { 0 } else { time.unix_seconds() }
}

pub(crate) fn details(details: ImageDetails) -> types::ImageInspect {
    let config = details.config;
    let comment = match config.comment.as_str() {
        "" => config.history.last().map(|step| step.comment.clone()).unwrap_or_default(),
        comment => comment.to_owned(),
    };
    types::ImageInspect {
        id: details.id.to_string(),
        repo_tags: details.tags,
        repo_digests: details.repository_digests,
        descriptor: Some(ManifestDescriptor {
            media_type: details.manifest.media_type,
            digest: details.manifest.digest.to_string(),
            size: details.manifest.size,
        }),
        parent: String::new(),
        comment,
        created: config.created.map(Timestamp::rfc3339_nano).unwrap_or_default(),
        docker_version: config.docker_version,
        author: config.author,
        config: execution(config.config),
        architecture: config.architecture,
        variant: config.variant,
        os: config.os,
        os_version: String::new(),
        size: signed(details.size),
        graph_driver: GraphDriver { data: details.storage, name: details.storage_driver.to_owned() },
        root_fs: RootFileSystem {
            kind: "layers".to_owned(),
            layers: config.rootfs.diff_ids.iter().map(ToString::to_string).collect(),
        },
        metadata: ImageMetadata { last_tag_time: details.last_tagged.rfc3339_nano() },
    }
}

fn execution(execution: Execution) -> ImageConfig {
    let set = |keys: Vec<String>| {
        let set: types::Set = keys.into_iter().map(|key| (key, Empty {})).collect();
        (!set.is_empty()).then_some(set)
    };
    ImageConfig {
        user: execution.user,
        exposed_ports: set(execution.exposed_ports.into_keys().collect()),
        env: execution.env,
        entrypoint: execution.entrypoint,
        cmd: execution.cmd,
        healthcheck: execution.healthcheck.map(|check| types::HealthConfig {
            test: check.test,
            interval: check.interval,
            timeout: check.timeout,
            retries: check.retries,
            start_period: check.start_period,
            start_interval: check.start_interval,
        }),
        volumes: set(execution.volumes.into_keys().collect()),
        working_dir: execution.working_dir,
        labels: (!execution.labels.is_empty()).then_some(execution.labels),
        on_build: (!execution.on_build.is_empty()).then_some(execution.on_build),
        stop_signal: (!execution.stop_signal.is_empty()).then_some(execution.stop_signal),
        shell: (!execution.shell.is_empty()).then_some(execution.shell),
    }
}

pub(crate) fn step(entry: HistoryEntry) -> types::ImageHistory {
    types::ImageHistory {
        id: entry.id.map_or_else(|| "<missing>".to_owned(), |id| id.to_string()),
        created: entry.created.map_or(0, seconds),
        created_by: entry.created_by,
        tags: (!entry.tags.is_empty()).then_some(entry.tags),
        size: signed(entry.size),
        comment: entry.comment,
    }
}

pub(crate) fn removed(removed: RemovedImage) -> types::ImageDelete {
    match removed {
        RemovedImage::Untagged(name) => types::ImageDelete { untagged: Some(name), deleted: None },
        RemovedImage::Deleted(digest) => types::ImageDelete { untagged: None, deleted: Some(digest) },
    }
}
