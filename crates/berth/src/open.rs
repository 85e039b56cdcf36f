//! Opens the engine: finds the roots, reads the administrator's configuration, and the path of this very program.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use base::{Context, Error, Result};
use cli::Globals;
use engine::{Configuration, Engine, LogLevel, Options, layout};

/// What the administrator decided, unless `--config-file` names another file.
const CONFIGURATION: &str = "/etc/berth/engine.json";
/// A longer configuration is an error of whoever wrote it.
const CONFIGURATION_LIMIT_BYTES: u64 = 1 << 20;

/// The engine that the command line asks for.
///
/// # Errors
/// What reading the configuration or opening the state root fails with.
pub(crate) fn engine(globals: &Globals) -> Result<Engine> {
    Engine::open(options(globals)?)
}

/// Where the engine's state is and what it obeys: flags first, then the configuration, then the defaults.
///
/// # Errors
/// `Invalid` and `Unsupported` for a configuration that says something else than an engine can do; `NotFound` for a named file that is missing.
pub(crate) fn options(globals: &Globals) -> Result<Options> {
    let mut configuration = configuration(globals.config_file.as_deref())?;
    let configured = if configuration.debug { Some(LogLevel::Debug) } else { configuration.log_level };
    configuration.log_level = globals.log_level.or(configured);
    configuration.debug = configuration.log_level == Some(LogLevel::Debug);
    let choose = |flag: &Option<PathBuf>, key: &Option<PathBuf>, default: &str| {
        flag.clone().or_else(|| key.clone()).unwrap_or_else(|| PathBuf::from(default))
    };
    Ok(Options {
        root: choose(&globals.root, &configuration.data_root, layout::DEFAULT_ROOT),
        runroot: choose(&globals.runroot, &configuration.exec_root, layout::DEFAULT_RUNROOT),
        configuration,
        configuration_file: globals
            .config_file
            .as_deref()
            .map(std::path::absolute)
            .transpose()
            .context("--config-file")?,
        binary: binary()?,
    })
}

/// Reads `named`, which must be there, or the default file, which need not.
///
/// # Errors
/// As [`options`].
pub(crate) fn configuration(named: Option<&Path>) -> Result<Configuration> {
    let path = named.unwrap_or(Path::new(CONFIGURATION));
    let what = || format!("read the configuration {}", path.display());
    match std::fs::metadata(path) {
        Ok(found) if found.len() > CONFIGURATION_LIMIT_BYTES => {
            return Err(Error::invalid(format!("{}: it is longer than {CONFIGURATION_LIMIT_BYTES} bytes", what())));
        }
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound && named.is_none() => return Ok(Configuration::default()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Error::not_found(format!("{}: there is no such file", what())));
        }
        Err(error) => return Err(error).with_context(what),
    }
    let text = std::fs::read_to_string(path).with_context(what)?;
    Configuration::parse(&text).map_err(|error| error.context(path.display()))
}

/// The file that this process runs, which supervisors and helpers are started from, now and after an upgrade.
///
/// # Errors
/// When `/proc` is not mounted.
pub(crate) fn binary() -> Result<PathBuf> {
    std::env::current_exe().context("find the path of this program in /proc/self/exe")
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Kind;

    #[test]
    fn only_a_named_file_must_be_there() {
        let error = configuration(Some(Path::new("/nonexistent/engine.json"))).unwrap_err();
        assert_eq!(error.kind(), Kind::NotFound);
        assert_eq!(error.to_string(), "read the configuration /nonexistent/engine.json: there is no such file");
    }

    #[test]
    fn a_wrong_file_is_named() {
        let path = std::env::temp_dir().join(format!("berth-open-{}.json", std::process::id()));
        std::fs::write(&path, "{\"lables\": []}").unwrap();
        let error = configuration(Some(&path)).unwrap_err();
        std::fs::remove_file(&path).unwrap();
        assert!(error.to_string().starts_with(&format!("{}: ", path.display())), "{error}");
        assert!(error.to_string().contains("labels"), "{error}");
    }
}
