//! Images, and what hangs on containers that do not run, each test with a state root of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod archive;
mod containers;
mod images;
mod transfer;
mod wait;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use base::digest::Digest;
use engine::containers::{CreateRequest, Settings};
use engine::images::ImportRequest;
use engine::{Caller, Configuration, Engine, Options, Silent};

/// A state root that vanishes with it.
#[derive(Debug)]
pub struct Host {
    pub engine: Engine,
    pub caller: Caller,
    pub path: PathBuf,
}

impl Host {
    pub fn make() -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("engine-content-{}-{number}", std::process::id()));
        let options = Options {
            root: path.join("root"),
            runroot: path.join("run"),
            configuration: Configuration::default(),
            configuration_file: None,
            binary: PathBuf::from("/bin/false"),
        };
        Self { engine: Engine::open(options).unwrap(), caller: Caller::in_process(), path }
    }

    /// Imports an archive under a name.
    pub fn import(&self, name: &str, archive: &[u8]) -> Digest {
        let reference = (!name.is_empty()).then(|| name.parse().unwrap());
        let request =
            ImportRequest { reference, changes: vec!["CMD [\"/bin/true\"]".to_owned()], ..ImportRequest::default() };
        self.engine.import_image(&self.caller, &request, &mut &*archive, &Silent).unwrap().id
    }

    /// Makes a container and returns its id.
    pub fn create(&self, image: &str, name: &str) -> String {
        let settings = Settings { image: image.to_owned(), ..Settings::default() };
        let request = CreateRequest { name: Some(name.to_owned()), platform: None, settings };
        self.engine.create_container(&self.caller, request).unwrap().id.to_string()
    }

    pub fn container(&self, id: &str) -> PathBuf {
        self.path.join("root/containers").join(id)
    }

    /// Names in a folder of the state root that do not begin with a dot.
    pub fn names(&self, folder: &str) -> Vec<String> {
        names(&self.path.join("root").join(folder))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !name.starts_with('.')).collect()
}
