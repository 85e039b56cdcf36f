//! What a container runs with: the user's settings over the image's over the engine's, by Docker's rules.

use base::{Error, Result};
use oci::config::Execution;

use crate::Configuration;
use crate::configuration::Defaults;
use crate::containers::{CgroupMode, IpcMode, PidMode, Settings};

/// The search path of a container whose image sets none.
const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Docker's size of `/dev/shm`.
pub const DEFAULT_SHM_SIZE: u64 = 64 << 20;
/// How long a stop waits before it kills, in seconds.
pub const DEFAULT_STOP_TIMEOUT_SECONDS: i64 = 10;

/// Merges the image's execution parameters into what was asked for.
///
/// # Errors
/// `Invalid` when no command is left.
pub fn merge(requested: &Settings, image: &Execution) -> Result<Settings> {
    let mut settings = requested.clone();
    if settings.user.is_empty() {
        settings.user.clone_from(&image.user);
    }
    if settings.working_directory.is_empty() {
        settings.working_directory.clone_from(&image.working_dir);
    }
    if settings.stop_signal.as_deref().unwrap_or_default().is_empty() {
        settings.stop_signal = (!image.stop_signal.is_empty()).then(|| image.stop_signal.clone());
    }
    settings.exposed_ports.extend(image.exposed_ports.keys().cloned());
    settings.volumes.extend(image.volumes.keys().cloned());
    for (key, value) in &image.labels {
        settings.labels.entry(key.clone()).or_insert_with(|| value.clone());
    }
    let given: Vec<String> = settings.environment.iter().map(|entry| variable_name(entry).to_owned()).collect();
    let inherited = image.env.iter().filter(|entry| !given.iter().any(|name| name == variable_name(entry)));
    settings.environment.extend(inherited.cloned());
    merge_command(&mut settings, image);
    if command_line(&settings).is_empty() {
        return Err(Error::invalid("no command specified"));
    }
    Ok(settings)
}

// An entry point of the user's own drops the image's command, which was written for the image's entry point.
fn merge_command(settings: &mut Settings, image: &Execution) {
    let entrypoint_given = settings.entrypoint.as_ref().is_some_and(|words| !words.is_empty());
    if !entrypoint_given {
        if settings.command.as_ref().is_none_or(Vec::is_empty) {
            settings.command.clone_from(&image.cmd);
        }
        if settings.entrypoint.is_none() {
            settings.entrypoint.clone_from(&image.entrypoint);
        }
    }
    if settings.entrypoint.as_ref().is_some_and(|words| words.is_empty() || words == &[String::new()]) {
        settings.entrypoint = None;
    }
}

/// Fills what neither user nor image said from the engine's configuration.
///
/// # Errors
/// `Invalid` for a size in the configuration that is none.
pub fn apply_defaults(settings: &mut Settings, configuration: &Configuration) -> Result<()> {
    if settings.log.driver.is_empty() {
        settings.log.driver = configuration.log_driver.clone().unwrap_or_else(|| "json-file".to_owned());
        if settings.log.options.is_empty() {
            settings.log.options.clone_from(&configuration.log_opts);
        }
    }
    if settings.shm_size.is_none_or(|size| size == 0) {
        let configured = configuration.default_shm_size.as_deref().map(base::size::parse_bytes).transpose()?;
        settings.shm_size = Some(configured.unwrap_or(DEFAULT_SHM_SIZE));
    }
    if settings.ipc == IpcMode::Default {
        settings.ipc = configuration.default_ipc_mode.clone().unwrap_or(IpcMode::Private);
    }
    if settings.cgroup.is_none() {
        settings.cgroup = configuration.default_cgroupns_mode.or(Some(CgroupMode::Private));
    }
    // With another's process 1 there is no place for an init.
    if settings.init.is_none() && configuration.init && settings.pid == PidMode::Private {
        settings.init = Some(true);
    }
    for (own, default) in [
        (&mut settings.dns, &configuration.dns),
        (&mut settings.dns_options, &configuration.dns_opts),
        (&mut settings.dns_search, &configuration.dns_search),
    ] {
        if own.is_empty() {
            own.clone_from(default);
        }
    }
    for limit in &configuration.default_ulimits {
        if !settings.ulimits.iter().any(|own| &own.name == limit.0) {
            settings.ulimits.push(limit.into());
        }
    }
    let says_privileges = settings.security_options.iter().any(|option| option.starts_with("no-new-privileges"));
    let hardened = configuration.defaults == Defaults::Hardened;
    if (configuration.no_new_privileges || hardened) && !says_privileges && !settings.privileged {
        settings.security_options.push("no-new-privileges".to_owned());
    }
    Ok(())
}

/// Entry point and command in one.
#[must_use]
pub fn command_line(settings: &Settings) -> Vec<String> {
    let entrypoint = settings.entrypoint.iter().flatten();
    entrypoint.chain(settings.command.iter().flatten()).cloned().collect()
}

/// The environment of the process: the engine's own variables, replaced by those of `settings`, of which one without a value removes.
#[must_use]
pub fn environment(settings: &Settings, hostname: &str) -> Vec<String> {
    let mut merged = vec![DEFAULT_PATH.to_owned(), format!("HOSTNAME={hostname}")];
    if settings.terminal {
        merged.push("TERM=xterm".to_owned());
    }
    overlay_environment(&mut merged, &settings.environment);
    merged
}

/// Replaces, appends or (without a value) removes variables of `base`.
pub fn overlay_environment(base: &mut Vec<String>, changes: &[String]) {
    for change in changes {
        let name = variable_name(change);
        let at = base.iter().position(|entry| variable_name(entry) == name);
        match (change.contains('='), at) {
            (true, Some(at)) => base[at].clone_from(change),
            (true, None) => base.push(change.clone()),
            (false, Some(at)) => {
                base.remove(at);
            }
            (false, None) => {}
        }
    }
}

fn variable_name(entry: &str) -> &str {
    entry.split_once('=').map_or(entry, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn optional(text: Option<&str>) -> Option<Vec<String>> {
        text.map(words)
    }

    #[test]
    fn commands_merge_as_dockers() {
        // user's entry point, user's command, image's entry point, image's command, result
        let table = [
            (None, None, None, Some("sh"), "sh"),
            (None, Some("ls -l"), None, Some("sh"), "ls -l"),
            (None, None, Some("/entry"), Some("serve"), "/entry serve"),
            (None, Some("ls"), Some("/entry"), Some("serve"), "/entry ls"),
            (Some("/own"), None, Some("/entry"), Some("serve"), "/own"),
            (Some("/own"), Some("ls"), Some("/entry"), Some("serve"), "/own ls"),
            (Some(""), None, Some("/entry"), Some("serve"), "serve"),
            (Some(""), Some("ls"), Some("/entry"), Some("serve"), "ls"),
        ];
        for (entrypoint, command, image_entrypoint, image_command, expected) in table {
            let requested =
                Settings { entrypoint: optional(entrypoint), command: optional(command), ..Settings::default() };
            let image = Execution {
                entrypoint: optional(image_entrypoint),
                cmd: optional(image_command),
                ..Execution::default()
            };
            let merged = merge(&requested, &image).unwrap();
            assert_eq!(command_line(&merged), words(expected), "{entrypoint:?} {command:?}");
        }
    }

    #[test]
    fn an_entry_point_of_one_empty_word_clears_the_images() {
        let requested =
            Settings { entrypoint: Some(vec![String::new()]), command: optional(Some("ls")), ..Settings::default() };
        let image = Execution { entrypoint: optional(Some("/entry")), ..Execution::default() };
        assert_eq!(command_line(&merge(&requested, &image).unwrap()), ["ls"]);
    }

    #[test]
    fn nothing_to_run_is_refused() {
        let error = merge(&Settings::default(), &Execution::default()).unwrap_err();
        assert_eq!(error.to_string(), "no command specified");
    }

    #[test]
    fn environment_is_replaced_appended_removed() {
        let settings =
            Settings { environment: words("PATH=/bin A=1 HOSTNAME B="), terminal: true, ..Settings::default() };
        assert_eq!(environment(&settings, "web"), ["PATH=/bin", "TERM=xterm", "A=1", "B="]);
        let bare = environment(&Settings::default(), "web");
        assert_eq!(bare, [DEFAULT_PATH, "HOSTNAME=web"]);
    }

    #[test]
    fn the_images_variables_give_way() {
        let requested = Settings { environment: words("A=own C"), command: optional(Some("x")), ..Settings::default() };
        let image = Execution { env: words("A=image B=image C=image"), ..Execution::default() };
        assert_eq!(merge(&requested, &image).unwrap().environment, ["A=own", "C", "B=image"]);
    }

    #[test]
    fn the_engines_defaults_come_last() {
        let configuration = Configuration::parse(
            r#"{"log-driver": "local", "log-opts": {"max-size": "1m"}, "default-shm-size": "1m", "dns": ["9.9.9.9"], "no-new-privileges": true,
                "default-ulimits": {"nofile": {"Soft": 1, "Hard": 2}}}"#,
        )
        .unwrap();
        let mut settings = Settings::default();
        apply_defaults(&mut settings, &configuration).unwrap();
        assert_eq!((settings.log.driver.as_str(), settings.log.options.len()), ("local", 1));
        assert_eq!(settings.shm_size, Some(1 << 20));
        assert_eq!(settings.dns, ["9.9.9.9"]);
        assert_eq!(settings.security_options, ["no-new-privileges"]);
        assert_eq!((settings.ulimits[0].soft, settings.ulimits[0].hard), (1, 2));
        let mut own = Settings { security_options: vec!["no-new-privileges=false".to_owned()], ..Settings::default() };
        own.log.driver = "none".to_owned();
        apply_defaults(&mut own, &configuration).unwrap();
        assert_eq!((own.security_options.len(), own.log.options.len()), (1, 0));
    }
}
