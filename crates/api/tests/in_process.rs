//! What the way to an engine in the same process costs. The only test of its program: it counts the time of all threads.
#![forbid(unsafe_code)]
// Tests say what they expect by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::path::PathBuf;
use std::time::Duration;

use api::{Client, InProcess};
use engine::{Configuration, Engine};
use rustix::time::{ClockId, clock_gettime};

const ROUND_TRIPS: u32 = 200;

/// The processor time that this process has used, which other processes do not lengthen.
fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap()
}

#[test]
fn a_request_costs_less_than_a_millisecond() {
    let directory = PathBuf::from(format!("/var/tmp/berth-in-process-{}", std::process::id()));
    let options = engine::Options {
        root: directory.join("root"),
        runroot: directory.join("run"),
        configuration: Configuration::default(),
        configuration_file: None,
        binary: std::env::current_exe().unwrap(),
    };
    let client = Client::new(Box::new(InProcess::new(Engine::open(options).unwrap())));
    let measure = |request: &dyn Fn()| {
        let before = processor_time();
        (0..ROUND_TRIPS).for_each(|_| request());
        (processor_time() - before) / ROUND_TRIPS
    };
    let ping = measure(&|| client.ping().unwrap());
    let list = measure(&|| assert!(client.list_volumes(&api::Filters::default()).unwrap().volumes.is_empty()));
    std::fs::remove_dir_all(directory).unwrap();
    println!("a ping {ping:?}, a list of no volumes {list:?}");
    assert!(ping < Duration::from_millis(1) && list < Duration::from_millis(1), "{ping:?} {list:?}");
}
