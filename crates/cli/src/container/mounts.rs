//! `--mount`, `-v`, `--tmpfs`.

use std::collections::BTreeMap;
use std::path::Path;

use api::types::{BindOptions, DriverConfig, Mount, TmpfsOptions, VolumeOptions};
use base::{Error, Result};

/// Anonymous volumes on one side, `source:target[:options]` on the other.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Volumes {
    pub(crate) anonymous: Vec<String>,
    pub(crate) binds: Vec<String>,
}

/// Sorts the values of `-v`; a source that begins with a dot is a path below `directory`.
///
/// # Errors
/// `Invalid` for an empty part.
pub(crate) fn volumes(values: &[&str], directory: &Path) -> Result<Volumes> {
    let mut volumes = Volumes::default();
    for value in values {
        match value.split_once(':') {
            None if value.is_empty() => return Err(Error::invalid("invalid empty volume spec")),
            None => volumes.anonymous.push((*value).to_owned()),
            Some((source, rest)) if source.is_empty() || rest.is_empty() => {
                return Err(Error::invalid(format!("invalid spec: {value}: empty section between colons")));
            }
            Some((source, rest)) => volumes.binds.push(format!("{}:{rest}", absolute(source, directory)?)),
        }
    }
    Ok(volumes)
}

/// `--tmpfs /run:size=1m`.
pub(crate) fn tmpfs(values: &[&str]) -> BTreeMap<String, String> {
    values
        .iter()
        .map(|value| value.split_once(':').unwrap_or((value, "")))
        .map(|(target, options)| (target.to_owned(), options.to_owned()))
        .collect()
}

fn absolute(source: &str, directory: &Path) -> Result<String> {
    if !source.starts_with('.') {
        return Ok(source.to_owned());
    }
    let mut path = directory.to_owned();
    for component in Path::new(source).components() {
        match component {
            std::path::Component::ParentDir => {
                path.pop();
            }
            std::path::Component::CurDir => {}
            other => path.push(other),
        }
    }
    path.into_os_string()
        .into_string()
        .map_err(|_| Error::invalid(format!("{source}: the working directory is not UTF-8")))
}

/// Parses one `--mount`; a relative source of a bind is below `directory`.
///
/// # Errors
/// `Invalid` for keys that do not exist, do not fit the type, or lack what they need.
pub(crate) fn mount(text: &str, directory: &Path) -> Result<Mount> {
    let wrong = |reason: String| Error::invalid(format!("invalid argument {text:?} for \"--mount\" flag: {reason}"));
    let mut parsed = Parsed::default();
    for field in fields(text).map_err(wrong)? {
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key.to_ascii_lowercase(), Some(value)),
            None => (field.to_ascii_lowercase(), None),
        };
        parsed.take(&key, value, &field).map_err(wrong)?;
    }
    parsed.finish(directory).map_err(wrong)
}

/// The fields of one line of comma-separated values, in which a field may be in double quotes.
pub(super) fn fields(text: &str) -> Result<Vec<String>, String> {
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let mut field = String::new();
        if let Some(quoted) = rest.strip_prefix('"') {
            rest = quoted;
            loop {
                let (part, after) = rest.split_once('"').ok_or("a quote is not closed")?;
                field.push_str(part);
                rest = after;
                let Some(more) = rest.strip_prefix('"') else { break };
                field.push('"');
                rest = more;
            }
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            field.push_str(&rest[..end]);
            rest = &rest[end..];
        }
        fields.push(field);
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None if rest.is_empty() => return Ok(fields),
            None => return Err("a quoted field is followed by something else than a comma".to_owned()),
        }
    }
}

/// What the fields have said so far.
#[derive(Default)]
struct Parsed {
    kind: Option<String>,
    source: String,
    target: String,
    read_only: bool,
    consistency: String,
    bind: Option<BindOptions>,
    /// `bind-recursive=readonly`, which needs two other fields.
    forces_read_only: bool,
    volume: Option<VolumeOptions>,
    tmpfs: Option<TmpfsOptions>,
}

impl Parsed {
    fn take(&mut self, key: &str, value: Option<&str>, field: &str) -> Result<(), String> {
        if value.is_none() {
            match key {
                "readonly" | "ro" => self.read_only = true,
                "volume-nocopy" => self.volume().no_copy = true,
                "bind-nonrecursive" => self.bind().non_recursive = true,
                _ => return Err(format!("invalid field '{field}' must be a key=value pair")),
            }
            return Ok(());
        }
        let value = value.unwrap_or_default();
        match key {
            "type" => self.kind = Some(value.to_ascii_lowercase()),
            "source" | "src" => value.clone_into(&mut self.source),
            "target" | "dst" | "destination" => value.clone_into(&mut self.target),
            "readonly" | "ro" => self.read_only = boolean(key, value)?,
            "consistency" => self.consistency = value.to_ascii_lowercase(),
            _ if key.starts_with("bind-") => self.take_bind(key, value, field)?,
            _ if key.starts_with("volume-") => self.take_volume(key, value, field)?,
            "tmpfs-size" => {
                let bytes = base::size::parse_bytes(value).map_err(|_| invalid(key, value))?;
                self.tmpfs().size_bytes = Some(i64::try_from(bytes).map_err(|_| invalid(key, value))?);
            }
            "tmpfs-mode" => {
                self.tmpfs().mode = Some(i64::from_str_radix(value, 8).map_err(|_| invalid(key, value))?);
            }
            _ => return Err(unexpected(key, field)),
        }
        Ok(())
    }

    fn take_bind(&mut self, key: &str, value: &str, field: &str) -> Result<(), String> {
        match (key, value) {
            ("bind-propagation", _) => self.bind().propagation = value.to_ascii_lowercase(),
            ("bind-nonrecursive", _) => self.bind().non_recursive = boolean(key, value)?,
            ("bind-recursive", "enabled") => {}
            ("bind-recursive", "disabled") => self.bind().non_recursive = true,
            ("bind-recursive", "writable") => self.bind().read_only_non_recursive = true,
            ("bind-recursive", "readonly") => {
                self.bind().read_only_force_recursive = true;
                self.forces_read_only = true;
            }
            ("bind-recursive", _) => {
                return Err(format!(
                    "{} (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")",
                    invalid(key, value)
                ));
            }
            ("bind-create-mountpoint", _) => self.bind().create_mountpoint = boolean(key, value)?,
            _ => return Err(unexpected(key, field)),
        }
        Ok(())
    }

    fn take_volume(&mut self, key: &str, value: &str, field: &str) -> Result<(), String> {
        let (name, content) = value.split_once('=').unwrap_or((value, ""));
        match key {
            "volume-nocopy" => self.volume().no_copy = boolean(key, value)?,
            "volume-subpath" => value.clone_into(&mut self.volume().subpath),
            "volume-label" => {
                self.volume().labels.insert(name.to_owned(), content.to_owned());
            }
            "volume-driver" => value.clone_into(&mut self.driver().name),
            "volume-opt" => {
                self.driver().options.insert(name.to_owned(), content.to_owned());
            }
            _ => return Err(unexpected(key, field)),
        }
        Ok(())
    }

    fn bind(&mut self) -> &mut BindOptions {
        self.bind.get_or_insert_default()
    }

    fn volume(&mut self) -> &mut VolumeOptions {
        self.volume.get_or_insert_default()
    }

    fn driver(&mut self) -> &mut DriverConfig {
        self.volume().driver_config.get_or_insert_default()
    }

    fn tmpfs(&mut self) -> &mut TmpfsOptions {
        self.tmpfs.get_or_insert_default()
    }

    fn finish(self, directory: &Path) -> Result<Mount, String> {
        let kind = self.kind.as_deref().unwrap_or("volume");
        if self.target.is_empty() {
            return Err("target is required".to_owned());
        }
        if !matches!(kind, "bind" | "volume" | "tmpfs") {
            return Err(format!("not supported: type={kind}; berth mounts bind, volume and tmpfs"));
        }
        for (given, owner) in
            [(self.bind.is_some(), "bind"), (self.volume.is_some(), "volume"), (self.tmpfs.is_some(), "tmpfs")]
        {
            if given && owner != kind {
                return Err(format!("cannot mix '{owner}-*' options with mount type '{kind}'"));
            }
        }
        if self.forces_read_only {
            let propagation = self.bind.as_ref().map_or("", |bind| bind.propagation.as_str());
            for (holds, wanted) in
                [(self.read_only, "readonly"), (propagation == "rprivate", "bind-propagation=rprivate")]
            {
                if !holds {
                    return Err(format!(
                        "option 'bind-recursive=readonly' requires '{wanted}' to be specified in conjunction"
                    ));
                }
            }
        }
        let source = match kind {
            "bind" => absolute(&self.source, directory).map_err(|error| error.to_string())?,
            _ => self.source,
        };
        Ok(Mount {
            kind: kind.to_owned(),
            source,
            target: self.target,
            read_only: self.read_only,
            consistency: self.consistency,
            bind_options: self.bind,
            volume_options: self.volume,
            tmpfs_options: self.tmpfs,
            ..Mount::default()
        })
    }
}

fn boolean(key: &str, value: &str) -> Result<bool, String> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(invalid(key, value)),
    }
}

fn invalid(key: &str, value: &str) -> String {
    format!("invalid value for {key}: {value}")
}

fn unexpected(key: &str, field: &str) -> String {
    format!("unexpected key '{key}' in '{field}'")
}
