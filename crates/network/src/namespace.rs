//! Work inside a network namespace.

use std::os::fd::BorrowedFd;

use base::{Context, Error, Result};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Runs `work` in the network namespace that `namespace` is, in a thread of its own, which ends with it: this one stays where it is.
///
/// Sockets that `work` opens keep belonging to that namespace.
///
/// # Errors
/// When the namespace cannot be entered (`CAP_SYS_ADMIN`), and those of `work`.
pub fn within<T: Send>(namespace: BorrowedFd<'_>, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let inside = std::thread::Builder::new().name("network".to_owned()).spawn_scoped(scope, move || {
            move_into_link_name_space(namespace, Some(LinkNameSpaceType::Network))
                .context("enter the network namespace")?;
            work()
        });
        match inside.context("start a thread for a network namespace")?.join() {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::internal("a thread in a network namespace panicked")),
        }
    })
}
