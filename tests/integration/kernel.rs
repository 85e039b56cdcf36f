//! What a kernel may lack, with the probe that shows it. No test skips itself: where a facility is missing, the test expects the error that says so.

use std::path::Path;

/// What a kernel has or lacks.
pub struct Facility {
    /// The file that shows it.
    probe: &'static str,
    /// What the file begins with where the facility is there.
    content: &'static str,
}

pub const APPARMOR: Facility = Facility { probe: "/sys/module/apparmor/parameters/enabled", content: "Y" };
pub const SELINUX: Facility = Facility { probe: "/sys/fs/selinux/enforce", content: "" };

impl Facility {
    pub fn is_there(&self) -> bool {
        let probe = Path::new(self.probe);
        probe.exists() && std::fs::read_to_string(probe).is_ok_and(|text| text.starts_with(self.content))
    }
}
