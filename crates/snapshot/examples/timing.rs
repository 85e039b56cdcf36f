#![allow(missing_docs, clippy::unwrap_used)]
use std::os::fd::AsFd;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let root = std::path::Path::new(&args[1]);
    let handle = base::file::make_directories(root, 0o700).unwrap();
    let layers = snapshot::Layers::open(handle.as_fd(), root).unwrap();
    let started = std::time::Instant::now();
    let mut file = std::fs::File::open(&args[2]).unwrap();
    let layer = layers.begin_unknown().unwrap().apply(&mut file, &snapshot::Limits::default()).unwrap();
    println!("{:?} {} bytes {} entries", started.elapsed(), layer.bytes, layer.entries);
}
