//! Lists containers.

use std::collections::BTreeMap;

use base::Result;
use base::digest::Digest;
use base::id::Id;
use base::time::Timestamp;

use super::filter::{ListRequest, Lookup, Matcher};
use super::inspect::MountPoint;
use super::record::Container;
use super::status::Status;
use crate::caller::Operation;
use crate::networks::{self, Known, NetworkEndpoint, Port};
use crate::{Caller, Engine, plan};

/// One line of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Its id.
    pub id: Id,
    /// Without a slash.
    pub name: String,
    /// As the user wrote it at create; the id of the image where that name means another one now.
    pub image: String,
    /// The image's id.
    pub image_id: String,
    /// The whole command line.
    pub command: Vec<String>,
    /// When it was made.
    pub created: Timestamp,
    /// Where it is in its life.
    pub status: Status,
    /// Of its last run.
    pub exit_code: i32,
    /// When it was last started; zero: never.
    pub started: Timestamp,
    /// When it last exited; zero: never.
    pub finished: Timestamp,
    /// The container's labels and the image's.
    pub labels: BTreeMap<String, String>,
    /// As asked for: `default`, `none`, `host`, `container:ID`, a network.
    pub network_mode: String,
    /// What is mounted.
    pub mounts: Vec<MountPoint>,
    /// Name of the network → what the container has there.
    pub networks: BTreeMap<String, NetworkEndpoint>,
    /// Its ports, while it runs.
    pub ports: Vec<Port>,
    /// `80/tcp` and the like, from the image and the request.
    pub exposed_ports: Vec<String>,
    /// The same, those that are to be published.
    pub published_ports: Vec<String>,
    /// Bytes of its writable layer, where sizes were asked for.
    pub size_writable: Option<u64>,
    /// Bytes of all its files, where sizes were asked for.
    pub size_root: Option<u64>,
}

impl Engine {
    /// Lists containers, the newest first.
    ///
    /// # Errors
    /// `Invalid` for an unknown filter or value.
    pub fn list_containers(&self, caller: &Caller, request: &ListRequest) -> Result<Vec<Summary>> {
        caller.permit(Operation::Read, "list containers")?;
        let matcher = Matcher::new(request, self)?;
        let (mut found, mut known) = (Vec::new(), Known::new());
        for id in self.root.container_ids()? {
            if !matcher.may_match(&id) {
                continue;
            }
            // One that is damaged or vanishes meanwhile must not hide all others.
            let Ok(Some(container)) = self.root.load(&id) else { continue };
            let summary = self.summarise(&container, &mut known)?;
            if matcher.matches(&summary) {
                found.push(summary);
            }
        }
        found.sort_by_key(|summary| std::cmp::Reverse(summary.created));
        if let Some(limit) = request.limit {
            found.truncate(limit);
        }
        self.name_images(&mut found);
        if request.size {
            for summary in &mut found {
                let (writable, root) = self.sizes(&summary.id)?;
                (summary.size_writable, summary.size_root) = (Some(writable), Some(root));
            }
        }
        Ok(found)
    }

    fn summarise(&self, container: &Container, known: &mut Known) -> Result<Summary> {
        let view = container.view()?;
        let record = &container.record;
        let sandbox = container.sandbox_seen(&view)?;
        Ok(Summary {
            id: container.id.clone(),
            name: record.name.clone(),
            image: record.image.name.clone(),
            image_id: record.image.id.to_string(),
            command: plan::effective::command_line(&record.settings),
            created: record.created,
            status: view.status,
            exit_code: view.exit_code,
            started: view.started,
            finished: view.finished,
            labels: record.settings.labels.clone(),
            network_mode: record.settings.network.to_string(),
            mounts: record.mount_points.clone(),
            networks: self.endpoints_of(container, &sandbox, known)?,
            ports: networks::ports(&record.settings, &sandbox.endpoints),
            exposed_ports: record.settings.exposed_ports.iter().cloned().collect(),
            published_ports: record.settings.published_ports.keys().cloned().collect(),
            size_writable: None,
            size_root: None,
        })
    }

    /// A name that means another image by now, or none, says nothing of the container: it gives way to the id.
    fn name_images(&self, summaries: &mut [Summary]) {
        let mut known: BTreeMap<String, Option<String>> = BTreeMap::new();
        for summary in summaries {
            let current = known
                .entry(summary.image.clone())
                .or_insert_with(|| self.image_id(&summary.image).map(|id| id.to_string()));
            if current.as_deref() != Some(summary.image_id.as_str()) {
                summary.image.clone_from(&summary.image_id);
            }
        }
    }
}

impl Lookup for Engine {
    fn created(&self, container: &str) -> Result<Timestamp> {
        Ok(self.root.find(container)?.record.created)
    }

    fn image_id(&self, image: &str) -> Option<Digest> {
        self.identify_image(image).ok()
    }
}
