//! Docker's profile format, read strictly and within bounds.

use super::architecture::Architecture;
use base::{Context, Error, Kind, Result};
use serde::Deserialize;

/// Bounds of what is read: a profile is a user's file, or came with a request.
const TEXT_LIMIT: usize = 1 << 20;
const RULES_LIMIT: usize = 4096;
const NAMES_LIMIT: usize = 2048;
const ARGUMENTS_LIMIT: usize = 32;
/// The largest errno that the kernel passes on (`MAX_ERRNO`).
const ERRNO_LIMIT: u32 = 4095;
const EPERM: u32 = 1;

/// A profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// What becomes of a system call that no rule speaks of.
    pub default_action: Action,
    /// The architectures whose system calls are filtered on each native one; empty: only the native one.
    pub architectures: Vec<(Architecture, Vec<Architecture>)>,
    /// Flags of seccomp(2) for the load.
    pub flags: u32,
    /// The rules.
    pub rules: Vec<Rule>,
}

/// One rule, for all of its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// System calls; names that an architecture does not have are passed over there.
    pub names: Vec<String>,
    /// What becomes of them.
    pub action: Action,
    /// What their arguments must be.
    pub arguments: Vec<Argument>,
    /// Where the rule applies.
    pub includes: Restriction,
    /// Where it does not.
    pub excludes: Restriction,
}

/// What becomes of a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// The process dies.
    KillProcess,
    /// The thread dies.
    KillThread,
    /// A SIGSYS is sent.
    Trap,
    /// It fails with this errno.
    Errno(u16),
    /// A tracer is told this number.
    Trace(u16),
    /// A listener decides.
    Notify,
    /// It runs and is logged.
    Log,
    /// It runs.
    Allow,
}

impl Action {
    /// The value that a program returns (linux/seccomp.h).
    #[must_use]
    pub const fn value(self) -> u32 {
        match self {
            Self::KillProcess => 0x8000_0000,
            Self::KillThread => 0,
            Self::Trap => 0x0003_0000,
            Self::Errno(errno) => 0x0005_0000 | errno as u32,
            Self::Notify => 0x7fc0_0000,
            Self::Trace(message) => 0x7ff0_0000 | message as u32,
            Self::Log => 0x7ffc_0000,
            Self::Allow => 0x7fff_0000,
        }
    }

    /// Whether the system call runs.
    #[must_use]
    pub const fn runs(self) -> bool {
        matches!(self, Self::Allow | Self::Log)
    }

    fn parse(name: &str, errno: Option<u32>) -> Result<Self> {
        let number = |limit: u32| match errno.unwrap_or(EPERM) {
            number if number <= limit => Ok(number as u16),
            number => Err(Error::invalid(format!("errno {number} is above {limit}"))),
        };
        let action = match name {
            "SCMP_ACT_ERRNO" => return number(ERRNO_LIMIT).map(Self::Errno),
            "SCMP_ACT_TRACE" => return number(u32::from(u16::MAX)).map(Self::Trace),
            "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => Self::KillThread,
            "SCMP_ACT_KILL_PROCESS" => Self::KillProcess,
            "SCMP_ACT_TRAP" => Self::Trap,
            "SCMP_ACT_NOTIFY" => Self::Notify,
            "SCMP_ACT_LOG" => Self::Log,
            "SCMP_ACT_ALLOW" => Self::Allow,
            _ => return Err(Error::invalid(format!("unknown action {name:?}"))),
        };
        match errno {
            Some(_) => Err(Error::invalid(format!("{name} takes no errno"))),
            None => Ok(action),
        }
    }
}

/// What one argument must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argument {
    /// From 0 to 5.
    pub index: u8,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what; the mask of [`Comparison::MaskedEqual`].
    pub value: u64,
    /// What [`Comparison::MaskedEqual`] expects below the mask.
    pub masked: u64,
}

/// A comparison without sign: of all 64 bits, or of the 32 that the kernel takes of an `int`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `==`
    Equal,
    /// `>=`
    GreaterOrEqual,
    /// `>`
    Greater,
    /// `(argument & value) == masked`
    MaskedEqual,
}

/// Where a rule applies; empty parts restrict nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restriction {
    /// Names of capabilities.
    pub capabilities: Vec<String>,
    /// Names of native architectures.
    pub architectures: Vec<String>,
    /// The oldest kernel.
    pub kernel: Option<(u32, u32)>,
}

impl Profile {
    /// Reads a profile in JSON.
    ///
    /// # Errors
    /// [`Kind::Invalid`] with the place and what is wrong there; never more than the bounds of this module is read.
    pub fn parse(text: &[u8]) -> Result<Self> {
        read(text).map_err(|error| error.with_kind(Kind::Invalid).context("seccomp profile"))
    }
}

fn read(text: &[u8]) -> Result<Profile> {
    bound("its text", text.len(), TEXT_LIMIT)?;
    let document: Document = serde_json::from_slice(text).context("not in the expected form")?;
    bound("the list of rules", document.syscalls.len(), RULES_LIMIT)?;
    let default_errno = document.default_errno.or(document.default_errno_number);
    let default_action = Action::parse(&document.default_action, default_errno).context("defaultAction")?;
    if default_action == Action::Notify {
        return Err(Error::invalid("SCMP_ACT_NOTIFY cannot be the default: not even the listener could answer"));
    }
    let architectures = architectures(&document)?;
    let flags = document.flags.iter().try_fold(0, |flags, name| Ok::<_, Error>(flags | flag(name)?))?;
    let rules = document.syscalls.into_iter().enumerate();
    let rules = rules.map(|(index, rule)| rule.read().map_err(|error| error.context(format!("rule {index}"))));
    Ok(Profile { default_action, architectures, flags, rules: rules.collect::<Result<_>>()? })
}

fn bound(what: &str, length: usize, limit: usize) -> Result<()> {
    if length <= limit { Ok(()) } else { Err(Error::invalid(format!("{what} is longer than {limit}"))) }
}

fn architectures(document: &Document) -> Result<Vec<(Architecture, Vec<Architecture>)>> {
    let map = document.arch_map.as_deref().unwrap_or_default();
    let list = document.architectures.as_deref().unwrap_or_default();
    if !map.is_empty() && !list.is_empty() {
        return Err(Error::invalid("architectures and archMap cannot both be given"));
    }
    bound("the list of architectures", map.len().max(list.len()), 64)?;
    let parse_all = |names: &[String]| -> Result<Vec<Architecture>> {
        bound("a list of architectures", names.len(), 64)?;
        names.iter().filter_map(|name| Architecture::parse(name).transpose()).collect()
    };
    if !list.is_empty() {
        let list = parse_all(list)?;
        return Ok(list.iter().map(|native| (*native, list.clone())).collect());
    }
    let mut found = Vec::new();
    for entry in map {
        let subordinate = parse_all(entry.sub_architectures.as_deref().unwrap_or_default())?;
        if let Some(native) = Architecture::parse(&entry.architecture)? {
            found.push((native, subordinate));
        }
    }
    Ok(found)
}

/// Flags of seccomp(2). One that concerns other threads has no meaning for a process that has one.
fn flag(name: &str) -> Result<u32> {
    match name {
        "SECCOMP_FILTER_FLAG_TSYNC" => Ok(0),
        "SECCOMP_FILTER_FLAG_LOG" => Ok(1 << 1),
        "SECCOMP_FILTER_FLAG_SPEC_ALLOW" => Ok(1 << 2),
        "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" => Ok(1 << 5),
        _ => Err(Error::invalid(format!("unknown flag {name:?}"))),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    default_action: String,
    #[serde(rename = "defaultErrnoRet")]
    default_errno: Option<u32>,
    #[serde(rename = "defaultErrno")]
    default_errno_number: Option<u32>,
    architectures: Option<Vec<String>>,
    arch_map: Option<Vec<DocumentArchitecture>>,
    #[serde(default)]
    flags: Vec<String>,
    #[serde(default, rename = "listenerPath")]
    _listener_path: Option<String>,
    #[serde(default, rename = "listenerMetadata")]
    _listener_metadata: Option<String>,
    #[serde(default)]
    syscalls: Vec<DocumentRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DocumentArchitecture {
    architecture: String,
    sub_architectures: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DocumentRule {
    name: Option<String>,
    #[serde(default)]
    names: Vec<String>,
    action: String,
    errno_ret: Option<u32>,
    errno: Option<u32>,
    args: Option<Vec<DocumentArgument>>,
    #[serde(default, rename = "comment")]
    _comment: Option<String>,
    #[serde(default)]
    includes: Option<DocumentRestriction>,
    #[serde(default)]
    excludes: Option<DocumentRestriction>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DocumentArgument {
    index: u8,
    value: u64,
    #[serde(default)]
    value_two: u64,
    op: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DocumentRestriction {
    caps: Option<Vec<String>>,
    arches: Option<Vec<String>>,
    min_kernel: Option<String>,
}

impl DocumentRule {
    fn read(self) -> Result<Rule> {
        let mut names = self.names;
        if self.name.is_some() && !names.is_empty() {
            return Err(Error::invalid("name and names cannot both be given"));
        }
        names.extend(self.name);
        bound("the list of names", names.len(), NAMES_LIMIT)?;
        if names.is_empty() || names.iter().any(String::is_empty) {
            return Err(Error::invalid("a rule needs names of system calls"));
        }
        let arguments = self.args.unwrap_or_default();
        bound("the list of arguments", arguments.len(), ARGUMENTS_LIMIT)?;
        Ok(Rule {
            names,
            action: Action::parse(&self.action, self.errno_ret.or(self.errno)).context("action")?,
            arguments: arguments.iter().map(DocumentArgument::read).collect::<Result<_>>()?,
            includes: DocumentRestriction::read(self.includes).context("includes")?,
            excludes: DocumentRestriction::read(self.excludes).context("excludes")?,
        })
    }
}

impl DocumentArgument {
    fn read(&self) -> Result<Argument> {
        if self.index > 5 {
            return Err(Error::invalid(format!("argument {} does not exist: from 0 to 5", self.index)));
        }
        let comparison = match self.op.as_str() {
            "SCMP_CMP_NE" => Comparison::NotEqual,
            "SCMP_CMP_LT" => Comparison::Less,
            "SCMP_CMP_LE" => Comparison::LessOrEqual,
            "SCMP_CMP_EQ" => Comparison::Equal,
            "SCMP_CMP_GE" => Comparison::GreaterOrEqual,
            "SCMP_CMP_GT" => Comparison::Greater,
            "SCMP_CMP_MASKED_EQ" => Comparison::MaskedEqual,
            other => return Err(Error::invalid(format!("unknown comparison {other:?}"))),
        };
        Ok(Argument { index: self.index, comparison, value: self.value, masked: self.value_two })
    }
}

impl DocumentRestriction {
    fn read(restriction: Option<Self>) -> Result<Restriction> {
        let Some(found) = restriction else { return Ok(Restriction::default()) };
        let (capabilities, architectures) = (found.caps.unwrap_or_default(), found.arches.unwrap_or_default());
        bound("a list", capabilities.len().max(architectures.len()), 64)?;
        let kernel = found.min_kernel.map(|text| {
            let version =
                text.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
            version.ok_or_else(|| Error::invalid(format!("minKernel {text:?} is not written like 4.8")))
        });
        Ok(Restriction { capabilities, architectures, kernel: kernel.transpose()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_profile_is_read() {
        let profile = Profile::parse(super::super::DEFAULT_PROFILE.as_bytes()).unwrap();
        assert_eq!(profile.default_action, Action::Errno(1));
        assert!(profile.architectures.contains(&(Architecture::X86_64, vec![Architecture::I386])));
        assert!(profile.rules.len() > 20);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, complaint) in [
            ("", "EOF"),
            ("[]", "expected"),
            ("{}", "defaultAction"),
            (r#"{"defaultAction":"ALLOW"}"#, "unknown action"),
            (r#"{"defaultAction":"SCMP_ACT_NOTIFY"}"#, "listener"),
            (r#"{"defaultAction":"SCMP_ACT_ALLOW","defaultErrnoRet":1}"#, "takes no errno"),
            (r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":4096}"#, "above"),
            (r#"{"defaultAction":"SCMP_ACT_ALLOW","sycalls":[]}"#, "sycalls"),
            (r#"{"defaultAction":"SCMP_ACT_ALLOW","flags":["X"]}"#, "unknown flag"),
            (r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["X"]}"#, "unknown architecture"),
            (
                r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86"],"archMap":[{"architecture":"SCMP_ARCH_X86"}]}"#,
                "both",
            ),
            (r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"action":"SCMP_ACT_ALLOW"}]}"#, "names"),
            (
                r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_ALLOW","args":[{"index":6,"value":0,"op":"SCMP_CMP_EQ"}]}]}"#,
                "rule 0",
            ),
            (
                r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":-1,"op":"SCMP_CMP_EQ"}]}]}"#,
                "-1",
            ),
        ] {
            let error = Profile::parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid, "{text}");
            assert!(error.to_string().contains(complaint), "{text}: {error}");
        }
        assert!(Profile::parse(&vec![b' '; TEXT_LIMIT + 1]).is_err());
    }
}
