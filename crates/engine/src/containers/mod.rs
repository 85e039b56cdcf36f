//! Containers: one verb per file.

mod attach;
mod create;
mod exec;
mod exited;
pub(crate) mod filter;
mod inspect;
mod kill;
mod list;
mod logs;
mod mend;
mod modes;
mod pause;
pub(crate) mod pending;
mod prune;
pub(crate) mod record;
mod remove;
mod rename;
mod resize;
mod resources;
mod restart;
mod revive;
mod settings;
mod shared_memory;
pub(crate) mod size;
mod start;
mod status;
mod stop;
mod unfinished;
mod update;
mod view;
mod wait;

pub use attach::{AttachRequest, Attached};
pub use create::{CreateRequest, Created};
pub use exec::{ExecDetails, ExecRequest, ExecStart};
pub use filter::{Filter, ListRequest};
pub use inspect::{Details, MountPoint, ProcessState};
pub use list::Summary;
pub use logs::{ContainerLogs, LogEntry, LogRequest, LogSource};
pub use modes::{CgroupMode, IpcMode, NetworkMode, PidMode, RestartPolicy, UtsMode};
pub use prune::Pruned;
pub use remove::RemoveRequest;
pub use resources::{DeviceMapping, ResourceLimits, Ulimit};
pub use settings::{
    AttachedStreams, EndpointRequest, LogSettings, MountKind, MountRequest, PortBinding, ReadOnlyReach, Settings,
};
pub use status::Status;
pub use stop::StopRequest;
pub use wait::{Exit, Wait, WaitCondition};
