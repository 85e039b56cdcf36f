//! What a supervisor tells the journal: starts and exits, in their order.

use super::Supervisor;
use base::journal::{self, Event};
use base::time::Timestamp;
use std::os::fd::AsFd;
use std::time::Duration;

/// The container is more important than who hears of it.
const PATIENCE: Duration = Duration::from_millis(50);

impl Supervisor {
    /// Appends an event. A journal that cannot be written stops nothing.
    pub(super) fn tell(&self, action: &str, exit_code: Option<i32>) {
        let mut attributes = self.plan.attributes.clone();
        if let Some(code) = exit_code {
            attributes.insert("exitCode".to_owned(), code.to_string());
        }
        let event = Event {
            time: Timestamp::now(),
            kind: "container".to_owned(),
            action: action.to_owned(),
            subject: self.plan.id.to_string(),
            attributes,
        };
        let told = base::file::open_directory(&self.plan.root)
            .and_then(|root| journal::append(root.as_fd(), &event, PATIENCE));
        drop(told);
    }
}
