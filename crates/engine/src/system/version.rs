//! What was built.

use crate::Engine;

/// What was built, and what it runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Of berth.
    pub version: &'static str,
    /// `linux`.
    pub operating_system: &'static str,
    /// As in `amd64`.
    pub architecture: String,
    /// As in `uname -r`.
    pub kernel_version: String,
}

impl Engine {
    /// The version of engine and kernel.
    #[must_use]
    pub fn version(&self) -> Version {
        let kernel = rustix::system::uname();
        Version {
            version: env!("CARGO_PKG_VERSION"),
            operating_system: "linux",
            architecture: oci::platform::Platform::host().architecture,
            kernel_version: kernel.release().to_string_lossy().into_owned(),
        }
    }
}
