//! Volumes.

use super::{Map, wire};

wire! {
    /// One volume.
    pub struct Volume {
        /// RFC 3339.
        pub created_at: String,
        /// `local`.
        pub driver: String,
        /// Labels; null without any.
        pub labels: Option<Map>,
        /// Where its files are.
        pub mountpoint: String,
        /// Its name.
        pub name: String,
        /// Options of the driver; null without any.
        pub options: Option<Map>,
        /// `local`.
        pub scope: String,
        /// Only in `system df`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub usage_data: Option<VolumeUsage>,
    }

    /// How much a volume holds and who uses it.
    pub struct VolumeUsage {
        /// Bytes; -1: unknown.
        pub size: i64,
        /// Containers; -1: unknown.
        pub ref_count: i64,
    }

    /// A volume that is wanted.
    pub struct VolumeCreate {
        /// Empty makes one up.
        pub name: String,
        /// Empty or `local`.
        pub driver: String,
        /// Options of the driver.
        pub driver_opts: Map,
        /// Labels.
        pub labels: Map,
    }

    /// What a list of volumes answers.
    pub struct VolumeList {
        /// By name.
        pub volumes: Vec<Volume>,
        /// What could not be listed.
        pub warnings: Vec<String>,
    }

    /// What a prune of volumes answers.
    pub struct VolumePrune {
        /// Names.
        pub volumes_deleted: Vec<String>,
        /// Bytes.
        pub space_reclaimed: u64,
    }
}
