//! What a process of a container runs with: the first one, and those that enter later.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use base::{Context, Error, Result, file};
use runtime::seccomp::{self, Conditions};
use runtime::spec::Process;

use super::security::{Filter, Security};
use super::{capabilities, effective, security, ulimits};
use crate::Configuration;
use crate::containers::Settings;
use crate::layout::Layout;

/// Longer profiles of system calls are none.
const PROFILE_LIMIT_BYTES: u64 = 4 << 20;
/// `Y` where AppArmor is enabled.
const APPARMOR: &str = "/sys/module/apparmor/parameters/enabled";
/// There where SELinux is enabled.
const SELINUX: &str = "/sys/fs/selinux/enforce";

/// The process that `settings` describe, with `hostname` as it will see it.
///
/// # Errors
/// `Invalid` for settings that are not understood; whatever keeps a filter of system calls from being made.
pub(crate) fn plan(
    settings: &Settings,
    hostname: &str,
    configuration: &Configuration,
    layout: &Layout,
) -> Result<Process> {
    let security = security::plan(settings, configuration)?;
    let capabilities = capabilities::plan(settings, configuration.defaults)?.bits();
    let (limits, _) = ulimits::plan(&settings.ulimits, ulimits::own_hard_limit)?;
    Ok(Process {
        arguments: effective::command_line(settings),
        environment: effective::environment(settings, hostname),
        working_directory: match settings.working_directory.as_str() {
            "" => "/".to_owned(),
            directory => directory.to_owned(),
        },
        user: settings.user.clone(),
        additional_groups: settings.group_add.clone(),
        terminal: settings.terminal,
        console_size: settings.console_size,
        capabilities,
        no_new_privileges: security.no_new_privileges,
        limits,
        oom_score_adjustment: (settings.oom_score_adj != 0).then_some(settings.oom_score_adj),
        system_calls: filter(&security.filter, capabilities, layout)?,
        apparmor_profile: apparmor_profile(&security, Path::new(APPARMOR))?,
        selinux_label: selinux_label(&security, Path::new(SELINUX))?,
    })
}

/// The compiled filter in the cache.
fn filter(filter: &Filter, capabilities: u64, layout: &Layout) -> Result<Option<PathBuf>> {
    let profile = match filter {
        Filter::Unconfined => return Ok(None),
        Filter::Default => seccomp::DEFAULT_PROFILE.to_owned(),
        // A container's own is given by content; the administrator's may be a file.
        Filter::Profile(profile) if profile.trim_start().starts_with('{') => profile.clone(),
        Filter::Profile(path) => read_profile(Path::new(path))?,
    };
    let cache = file::make_directories(&layout.seccomp_cache(), 0o700)?;
    let prepared = seccomp::prepare(cache.as_fd(), &profile, &Conditions::here(capabilities)?)
        .map_err(|error| error.context("seccomp profile"))?;
    Ok(Some(layout.seccomp_cache().join(prepared.name)))
}

fn read_profile(path: &Path) -> Result<String> {
    let what = || format!("seccomp profile {}", path.display());
    let file = std::fs::File::open(path).with_context(what)?;
    let bytes = file::read_file_bounded(file.into(), PROFILE_LIMIT_BYTES).with_context(what)?;
    String::from_utf8(bytes).map_err(|_| Error::invalid(format!("{}: it is no text", what())))
}

// Without a profile a process keeps the one of its supervisor, which has none unless somebody confined the engine.
fn apparmor_profile(security: &Security, enabled: &Path) -> Result<Option<String>> {
    let is_enabled = std::fs::read_to_string(enabled).is_ok_and(|text| text.trim() == "Y");
    match security.apparmor.as_str() {
        "" => Ok(None),
        "unconfined" if !is_enabled => Ok(None),
        profile if !is_enabled => Err(absent(&format!("apparmor={profile}"), "AppArmor")),
        profile => Ok(Some(profile.to_owned())),
    }
}

fn selinux_label(security: &Security, enforce: &Path) -> Result<Option<String>> {
    if security.label_disabled {
        return Ok(None);
    }
    let Some((key, value)) = security.labels.first() else { return Ok(None) };
    if !enforce.exists() {
        return Err(absent(&format!("label={key}:{value}"), "SELinux"));
    }
    let part = |key: &str, default: &str| {
        let given = security.labels.iter().rev().find(|(own, _)| own == key);
        given.map_or(default, |(_, value)| value).to_owned()
    };
    Ok(Some(format!(
        "{}:{}:{}:{}",
        part("user", "system_u"),
        part("role", "system_r"),
        part("type", "container_t"),
        part("level", "s0")
    )))
}

fn absent(option: &str, module: &str) -> Error {
    Error::unsupported(format!("--security-opt {option}: {module} is not enabled on this host: leave the option out"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_container() {
        let root = std::env::temp_dir().join(format!("engine-process-{}", std::process::id()));
        let layout = Layout::new(&root, &root.join("run"));
        let settings = Settings { command: Some(vec!["sh".to_owned()]), user: "www".to_owned(), ..Settings::default() };
        let process = plan(&settings, "web", &Configuration::default(), &layout).unwrap();
        assert_eq!((process.arguments[0].as_str(), process.user.as_str()), ("sh", "www"));
        assert_eq!(process.working_directory, "/");
        assert!(process.environment.contains(&"HOSTNAME=web".to_owned()));
        assert!(process.limits.iter().any(|limit| limit.resource == "nofile" && limit.soft == Some(1024)));
        assert!(process.system_calls.unwrap().starts_with(root.join("run/seccomp")));
        let open = Settings { security_options: vec!["seccomp=unconfined".to_owned()], ..settings };
        assert_eq!(plan(&open, "web", &Configuration::default(), &layout).unwrap().system_calls, None);
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn labels_need_their_module() {
        let security = |apparmor: &str, labels: &[(&str, &str)], label_disabled| Security {
            apparmor: apparmor.to_owned(),
            labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            label_disabled,
            ..Security::default()
        };
        let (absent, present) = (Path::new("/nonexistent"), Path::new("/"));
        let refusal = |outcome: Result<Option<String>>| outcome.unwrap_err().to_string();
        for open in [security("unconfined", &[("type", "a")], true), security("", &[], false)] {
            assert_eq!(apparmor_profile(&open, absent).unwrap(), None);
            assert_eq!(selinux_label(&open, absent).unwrap(), None);
            assert_eq!(selinux_label(&open, present).unwrap(), None);
        }
        let labelled = security("mine", &[("type", "a"), ("level", "s1"), ("type", "b")], false);
        let refused = refusal(apparmor_profile(&labelled, absent));
        assert!(refused.contains("--security-opt apparmor=mine: AppArmor is not enabled"), "{refused}");
        let refused = refusal(selinux_label(&labelled, absent));
        assert!(refused.contains("--security-opt label=type:a: SELinux is not enabled"), "{refused}");
        assert_eq!(selinux_label(&labelled, present).unwrap().unwrap(), "system_u:system_r:b:s1");
    }
}
