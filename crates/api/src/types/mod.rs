//! The wire types of the Docker Engine API, named and shaped as in its specification (`api/swagger.yaml` of moby, API 1.51).
//!
//! Every type reads what any client sends: a missing or null member is its default, an unknown one is ignored. It writes what the newest version
//! has; what older versions want otherwise is `version`'s.

mod container;
mod exec;
mod host_config;
mod image;
mod inspect;
mod network;
mod system;
mod volume;

pub use container::{
    ContainerConfig, ContainerPrune, ContainerSummary, CreateContainer, CreateResponse, HealthConfig, NetworkingConfig,
    PortSummary, SummaryHostConfig, SummaryNetworks, UpdateResponse, WaitError, WaitResponse,
};
pub use exec::{ExecConfig, ExecCreated, ExecInspect, ExecProcess, ExecStart};
pub use host_config::{
    BindOptions, DeviceMapping, DriverConfig, HostConfig, ImageOptions, LogConfig, Mount, PortBinding, RestartPolicy,
    TmpfsOptions, Ulimit, VolumeOptions,
};
pub use image::{
    Auth, ErrorDetail, GraphDriver, ImageConfig, ImageDelete, ImageHistory, ImageInspect, ImageMetadata, ImagePrune,
    ImageSummary, JsonMessage, ManifestDescriptor, ProgressDetail, RootFileSystem,
};
pub use inspect::{ContainerInspect, ContainerState, MountPoint, NetworkSettings};
pub use network::{
    ConfigReference, EndpointResource, EndpointSettings, Ipam, IpamConfig, IpamEndpoint, Network, NetworkConnect,
    NetworkCreate, NetworkCreated, NetworkDisconnect, NetworkPrune,
};
pub use system::{
    Actor, Commit, Component, ErrorMessage, Event, IndexConfig, Info, Platform, Plugins, RegistryConfig, Runtime,
    Swarm, Version,
};
pub use volume::{Volume, VolumeCreate, VolumeList, VolumePrune, VolumeUsage};

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

/// Text by text, in order.
pub type Map = BTreeMap<String, String>;

/// A set as Go writes it: an object whose values are empty objects.
pub type Set = BTreeMap<String, Empty>;

/// `{}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}

/// Declares wire types: members are `PascalCase` on the wire, and null or missing is the default, as Go's decoder has it.
macro_rules! wire {
    ($($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
            #[serde(default, rename_all = "PascalCase")]
            pub struct $name {
                $(
                    $(#[$field_meta])*
                    #[serde(deserialize_with = "crate::types::null_is_default")]
                    pub $field: $type,
                )*
            }
        )*
    };
}
pub(crate) use wire;

pub(crate) fn null_is_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A command as Go's `strslice` reads it: a list, or one text.
pub(crate) fn text_or_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        List(Vec<String>),
        Text(String),
    }
    Ok(Option::<Either>::deserialize(deserializer)?.map(|either| match either {
        Either::List(list) => list,
        Either::Text(text) => vec![text],
    }))
}

pub(crate) fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_unknown_members_are_read_as_go_reads_them() {
        let body: CreateContainer = serde_json::from_str(
            r#"{"Image":"a","Env":null,"HostConfig":{"Binds":null,"Memory":null,"New":1},"Other":[1]}"#,
        )
        .unwrap();
        assert_eq!(body.config.image, "a");
        assert_eq!(
            body,
            CreateContainer {
                config: ContainerConfig { image: "a".to_owned(), ..Default::default() },
                ..Default::default()
            }
        );
    }

    #[test]
    fn members_are_named_as_in_the_specification() {
        let value = serde_json::to_value(HostConfig::default()).unwrap();
        for name in [
            "ContainerIDFile",
            "UTSMode",
            "BlkioDeviceReadIOps",
            "IOMaximumIOps",
            "IOMaximumBandwidth",
            "CpusetCpus",
            "NanoCpus",
            "CgroupnsMode",
            "ReadonlyRootfs",
            "MaskedPaths",
            "DeviceCgroupRules",
            "PidsLimit",
            "UsernsMode",
            "OomScoreAdj",
            "ShmSize",
        ] {
            assert!(value.get(name).is_some(), "{name}");
        }
        let value = serde_json::to_value(EndpointSettings::default()).unwrap();
        for name in [
            "IPAMConfig",
            "IPAddress",
            "IPPrefixLen",
            "IPv6Gateway",
            "GlobalIPv6Address",
            "DNSNames",
            "GwPriority",
            "EndpointID",
        ] {
            assert!(value.get(name).is_some(), "{name}");
        }
        let value = serde_json::to_value(Network::default()).unwrap();
        for name in ["EnableIPv4", "EnableIPv6", "IPAM", "Id", "ConfigFrom", "ConfigOnly", "Containers"] {
            assert!(value.get(name).is_some(), "{name}");
        }
        let value = serde_json::to_value(Info::default()).unwrap();
        for name in [
            "ID",
            "NCPU",
            "NFd",
            "CPUShares",
            "CPUSet",
            "OSType",
            "IPv4Forwarding",
            "CDISpecDirs",
            "HttpProxy",
            "MemTotal",
        ] {
            assert!(value.get(name).is_some(), "{name}");
        }
    }
}
