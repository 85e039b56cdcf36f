//! The way back from a supervisor into the engine: `container-exited` and `container-restart`.
//!
//! Supervisors call these with the path, the roots and the words of the time when they were started: words are only ever added here.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use base::Result;
use engine::{Caller, Engine, Options};

use crate::open;

/// What a supervisor or a keeper asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Call {
    verb: Verb,
    root: PathBuf,
    runroot: PathBuf,
    configuration_file: Option<PathBuf>,
    id: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Exited,
    Restart,
}

impl Call {
    /// Reads `--root R --runroot RR [--config-file F] container-exited|container-restart ID`, exactly; everything else is the command line's.
    pub(crate) fn recognise(arguments: &[OsString]) -> Option<Self> {
        let [root_flag, root, runroot_flag, runroot, configuration @ .., verb, id] = arguments else { return None };
        if root_flag != "--root" || runroot_flag != "--runroot" {
            return None;
        }
        let configuration_file = match configuration {
            [] => None,
            [flag, file] if flag == "--config-file" => Some(file.into()),
            _ => return None,
        };
        let verb = match verb.to_str()? {
            "container-exited" => Verb::Exited,
            "container-restart" => Verb::Restart,
            _ => return None,
        };
        let id = id.to_str()?.to_owned();
        Some(Self { verb, root: root.into(), runroot: runroot.into(), configuration_file, id })
    }

    /// Does it. Nobody reads what this writes unless a person calls it.
    pub(crate) fn answer(&self) -> ExitCode {
        match self.open().and_then(|engine| self.ask(&engine)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "berth: {error}");
                ExitCode::FAILURE
            }
        }
    }

    fn open(&self) -> Result<Engine> {
        Engine::open(Options {
            root: self.root.clone(),
            runroot: self.runroot.clone(),
            // A typo that was made since must not keep a container from being taken down or brought up again.
            configuration: open::configuration(self.configuration_file.as_deref()).unwrap_or_default(),
            configuration_file: self.configuration_file.clone(),
            binary: open::binary()?,
        })
    }

    fn ask(&self, engine: &Engine) -> Result<()> {
        match self.verb {
            Verb::Exited => engine.container_exited(&Caller::engine(), &self.id),
            Verb::Restart => engine.container_restart(&Caller::engine(), &self.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_words_are_recognised() {
        let recognise = |words: &str| Call::recognise(&words.split(' ').map(OsString::from).collect::<Vec<_>>());
        let call = recognise("--root /r --runroot /rr container-exited ab").unwrap();
        assert_eq!((call.verb, call.id.as_str(), call.runroot), (Verb::Exited, "ab", PathBuf::from("/rr")));
        let call = recognise("--root /r --runroot /rr --config-file /c container-restart ab").unwrap();
        assert_eq!((call.verb, call.configuration_file), (Verb::Restart, Some("/c".into())));
        for other in [
            "container-exited ab",
            "--root /r --runroot /rr ps -a",
            "--runroot /r --root /rr container-exited ab",
            "--root /r --runroot /rr --config /c container-exited ab",
            "--root /r --runroot /rr --config-file container-exited ab",
        ] {
            assert_eq!(recognise(other), None, "{other}");
        }
    }
}
