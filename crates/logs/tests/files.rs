//! Writing and reading real files: rotation, compression, tails, following, damage.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests say what they expect by panicking")]

use base::time::Timestamp;
use logs::{Entry, Options, ReadRequest, Reader, Stream, Writer};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use std::ffi::CString;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

struct Scratch {
    path: PathBuf,
    directory: OwnedFd,
}

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("logs-{name}-{}", std::process::id()));
        let directory = base::file::make_directories(&path, 0o700).unwrap();
        Self { path, directory }
    }

    fn writer(&self, options: &Options) -> Writer {
        Writer::open(self.directory.as_fd(), "log", options.clone()).unwrap()
    }

    fn reader(&self, request: ReadRequest) -> Reader {
        Reader::open(self.directory.as_fd(), "log", request).unwrap()
    }

    fn lines(&self, request: ReadRequest) -> Vec<String> {
        rest(&mut self.reader(request)).into_iter().map(|entry| entry.line).collect()
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.path).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.path).unwrap();
    }
}

fn rest(reader: &mut Reader) -> Vec<Entry> {
    std::iter::from_fn(|| reader.next_entry().unwrap()).collect()
}

fn small(size: u64, files: u32) -> Options {
    Options { max_size_bytes: Some(size), max_files: files, ..Options::default() }
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| format!("line {number}\n")).collect()
}

fn write_numbers(writer: &mut Writer, range: std::ops::Range<u32>) {
    for line in numbers(range) {
        writer.write(Stream::Stdout, line.as_bytes()).unwrap();
    }
}

#[test]
fn lines_come_back_whole_whatever_the_pieces() {
    let scratch = Scratch::new("pieces");
    let mut writer = scratch.writer(&Options::default());
    for piece in ["one\ntw", "o\n\nthr", "e", "e\nfour"] {
        writer.write(Stream::Stdout, piece.as_bytes()).unwrap();
        writer.write(Stream::Stderr, b"x").unwrap();
    }
    assert_eq!(scratch.lines(ReadRequest::default()), ["one\n", "two\n", "\n", "three\n"]);
    writer.finish().unwrap();
    assert_eq!(scratch.lines(ReadRequest::default())[4..], ["four".to_owned(), "xxxx".to_owned()]);
}

#[test]
fn long_lines_are_split_at_sixteen_kibibytes_with_one_time() {
    let scratch = Scratch::new("long");
    let mut writer = scratch.writer(&Options::default());
    let line = "a".repeat(40_000) + "\n";
    for piece in line.as_bytes().chunks(7_001) {
        writer.write(Stream::Stdout, piece).unwrap();
    }
    let entries = rest(&mut scratch.reader(ReadRequest::default()));
    let lengths: Vec<usize> = entries.iter().map(|entry| entry.line.len()).collect();
    assert_eq!(lengths, [16_384, 16_384, 7_233]);
    assert!(entries.iter().all(|entry| entry.time == entries[0].time));
    assert!(entries[2].line.ends_with('\n') && !entries[1].line.ends_with('\n'));
}

#[test]
fn rotation_keeps_so_many_files_and_the_newest_lines() {
    let scratch = Scratch::new("rotation");
    write_numbers(&mut scratch.writer(&small(1000, 3)), 0..100);
    assert_eq!(scratch.files(), ["log", "log.1", "log.2"]);
    let lines = scratch.lines(ReadRequest::default());
    assert!(lines.len() > 20 && lines.len() < 60, "{}", lines.len());
    assert_eq!(lines, numbers(100 - u32::try_from(lines.len()).unwrap()..100));
}

#[test]
fn one_file_is_begun_anew() {
    let scratch = Scratch::new("one");
    write_numbers(&mut scratch.writer(&small(1000, 1)), 0..100);
    assert_eq!(scratch.files(), ["log"]);
    assert_eq!(scratch.lines(ReadRequest::default()).last().unwrap(), "line 99\n");
}

#[test]
fn compressed_files_are_read_like_others() {
    let scratch = Scratch::new("compressed");
    let mut writer = scratch.writer(&Options { compress: true, ..small(1000, 4) });
    write_numbers(&mut writer, 0..100);
    while writer.compress().unwrap() {}
    assert_eq!(scratch.files(), ["log", "log.1.gz", "log.2.gz", "log.3.gz"]);
    let all = scratch.lines(ReadRequest::default());
    assert!(all.len() > 30);
    assert_eq!(all, numbers(100 - u32::try_from(all.len()).unwrap()..100));
    for wanted in [0, 1, 5, 15, 25] {
        let tail = ReadRequest { tail: Some(wanted), ..ReadRequest::default() };
        assert_eq!(scratch.lines(tail), numbers(100 - u32::try_from(wanted).unwrap()..100), "{wanted}");
    }
}

#[test]
fn a_tail_is_found_from_the_end_through_rotation() {
    let scratch = Scratch::new("tail");
    write_numbers(&mut scratch.writer(&small(1000, 5)), 0..60);
    let there = u64::try_from(scratch.lines(ReadRequest::default()).len()).unwrap();
    for wanted in 0..there + 10 {
        let tail = ReadRequest { tail: Some(wanted), ..ReadRequest::default() };
        let expected = numbers(60 - u32::try_from(wanted.min(there)).unwrap()..60);
        assert_eq!(scratch.lines(tail), expected, "{wanted}");
    }
}

#[test]
fn a_tail_reaches_across_blocks() {
    let scratch = Scratch::new("blocks");
    write_numbers(&mut scratch.writer(&Options::default()), 0..3000);
    for wanted in [1, 700, 1500, 2999, 3000, 4000] {
        let tail = ReadRequest { tail: Some(wanted), ..ReadRequest::default() };
        let first = 3000_u32.saturating_sub(u32::try_from(wanted).unwrap());
        assert_eq!(scratch.lines(tail), numbers(first..3000), "{wanted}");
    }
}

#[test]
fn since_and_until_bound_what_is_read() {
    let scratch = Scratch::new("bounds");
    write_numbers(&mut scratch.writer(&small(300, 5)), 0..12);
    let entries = rest(&mut scratch.reader(ReadRequest::default()));
    let (first, last) = (entries[3].time, entries[6].time);
    let bounded = ReadRequest { since: Some(first), until: Some(last), ..ReadRequest::default() };
    let expected: Vec<&str> = entries[3..=6].iter().map(|entry| entry.line.as_str()).collect();
    assert_eq!(scratch.lines(bounded), expected);
    let later = ReadRequest { since: Some(Timestamp::now()), ..ReadRequest::default() };
    assert!(scratch.lines(later).is_empty());
}

#[test]
fn following_loses_nothing_through_rotation() {
    for compress in [false, true] {
        let scratch = Scratch::new(&format!("follow-{compress}"));
        let mut writer = scratch.writer(&Options { compress, ..small(2000, 5) });
        write_numbers(&mut writer, 0..5);
        let mut reader = scratch.reader(ReadRequest { follow: true, tail: Some(2), ..ReadRequest::default() });
        let mut lines: Vec<String> = rest(&mut reader).into_iter().map(|entry| entry.line).collect();
        for start in (5..500).step_by(5) {
            write_numbers(&mut writer, start..start + 5);
            lines.extend(rest(&mut reader).into_iter().map(|entry| entry.line));
        }
        assert_eq!(lines, numbers(3..500));
    }
}

#[test]
fn following_survives_several_rotations_at_once() {
    let scratch = Scratch::new("jump");
    let mut writer = scratch.writer(&small(500, 6));
    write_numbers(&mut writer, 0..3);
    let mut reader = scratch.reader(ReadRequest { follow: true, ..ReadRequest::default() });
    assert_eq!(rest(&mut reader).len(), 3);
    write_numbers(&mut writer, 3..25);
    let lines: Vec<String> = rest(&mut reader).into_iter().map(|entry| entry.line).collect();
    assert_eq!(lines, numbers(3..25));
    // And more than are kept: the rest of the file that is open, and then what is left, once and in order.
    write_numbers(&mut writer, 25..500);
    let lines: Vec<String> = rest(&mut reader).into_iter().map(|entry| entry.line).collect();
    let kept = scratch.lines(ReadRequest::default());
    assert!(lines.ends_with(&kept) && lines.len() < kept.len() + 10, "{lines:?}");
    assert_eq!(kept.last().unwrap(), "line 499\n");
}

#[test]
fn a_follower_wakes_up() {
    let scratch = Scratch::new("wake");
    let mut reader = scratch.reader(ReadRequest { follow: true, ..ReadRequest::default() });
    assert!(reader.next_entry().unwrap().is_none());
    let directory = scratch.directory.try_clone().unwrap();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        let mut writer = Writer::open(directory.as_fd(), "log", Options::default()).unwrap();
        writer.write(Stream::Stderr, b"late\n").unwrap();
    });
    let began = std::time::Instant::now();
    let entry = loop {
        if let Some(entry) = reader.next_entry().unwrap() {
            break entry;
        }
        reader.wait(Duration::from_secs(60)).unwrap();
    };
    thread.join().unwrap();
    assert_eq!((entry.line.as_str(), entry.stream), ("late\n", Stream::Stderr));
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn what_a_crash_tore_is_left_out_and_the_next_line_is_whole() {
    let scratch = Scratch::new("torn");
    write_numbers(&mut scratch.writer(&Options::default()), 0..2);
    let mut file = std::fs::OpenOptions::new().append(true).open(scratch.path.join("log")).unwrap();
    file.write_all(b"{\"log\":\"half a li").unwrap();
    assert_eq!(scratch.lines(ReadRequest::default()), numbers(0..2));
    write_numbers(&mut scratch.writer(&Options::default()), 2..3);
    assert_eq!(scratch.lines(ReadRequest::default()), numbers(0..3));
}

#[test]
fn an_endless_line_does_not_fill_the_memory() {
    let scratch = Scratch::new("endless");
    std::fs::write(scratch.path.join("log"), vec![b'x'; 8 << 20]).unwrap();
    write_numbers(&mut scratch.writer(&Options::default()), 0..1);
    assert_eq!(scratch.lines(ReadRequest::default()), numbers(0..1));
}

#[test]
fn attributes_are_written_with_every_entry() {
    let scratch = Scratch::new("attributes");
    let attributes = [("tag".to_owned(), "web\"1".to_owned())].into();
    write_numbers(&mut scratch.writer(&Options { attributes, ..Options::default() }), 0..1);
    let entries = rest(&mut scratch.reader(ReadRequest::default()));
    assert_eq!(entries[0].attributes["tag"], "web\"1");
}

#[test]
fn without_a_driver_nothing_is_kept() {
    let scratch = Scratch::new("none");
    let options = Options::parse("none", &Default::default()).unwrap();
    write_numbers(&mut scratch.writer(&options), 0..9);
    assert!(scratch.files().is_empty());
    assert!(scratch.lines(ReadRequest::default()).is_empty());
}

/// A file system with so many inodes, its root's among them, in a mount namespace of the calling thread.
fn mount_with_inodes(path: &Path, inodes: u32) -> OwnedFd {
    #[allow(deprecated)]
    rustix::thread::unshare(rustix::thread::UnshareFlags::NEWNS).unwrap();
    rustix::mount::mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC).unwrap();
    let options = CString::new(format!("nr_inodes={inodes}")).unwrap();
    rustix::mount::mount("tmpfs", path, "tmpfs", MountFlags::empty(), options.as_c_str()).unwrap();
    File::open(path).unwrap().into()
}

#[test]
fn a_rotation_that_finds_no_inode_loses_nothing() {
    let mut scratch = Scratch::new("inodes");
    let run = || {
        // The root, a file that is in the way, and two of the log.
        scratch.directory = mount_with_inodes(&scratch.path, 4);
        std::fs::write(scratch.path.join("obstacle"), "").unwrap();
        let mut writer = scratch.writer(&small(4000, 4));
        let mut follower = scratch.reader(ReadRequest { follow: true, ..ReadRequest::default() });
        let mut followed = Vec::new();
        let mut failures = 0;
        for line in numbers(0..300) {
            failures += u32::from(writer.write(Stream::Stdout, line.as_bytes()).is_err());
            followed.extend(rest(&mut follower).into_iter().map(|entry| entry.line));
        }
        assert!((1..150).contains(&failures), "{failures} attempts to rotate failed");
        assert_eq!(scratch.files(), ["log", "log.1", "obstacle"]);
        assert_eq!(scratch.lines(ReadRequest::default()), numbers(0..300));
        std::fs::remove_file(scratch.path.join("obstacle")).unwrap();
        write_numbers(&mut writer, 300..320);
        assert_eq!(scratch.files(), ["log", "log.1", "log.2"]);
        assert_eq!(scratch.lines(ReadRequest::default()), numbers(0..320));
        followed.extend(rest(&mut follower).into_iter().map(|entry| entry.line));
        assert_eq!(followed, numbers(0..320));
        rustix::mount::unmount(&scratch.path, UnmountFlags::DETACH).unwrap();
    };
    std::thread::scope(|scope| scope.spawn(run).join().unwrap());
}

#[test]
fn a_rotation_that_is_cut_short_anywhere_loses_nothing() {
    // Of three files, of which the next line finds the newest full.
    let moves: [&[(&str, &str)]; 4] = [
        &[],
        &[("log.2", "log.3")],
        &[("log.2", "log.3"), ("log.1", "log.2")],
        &[("log.2", "log.3"), ("log.1", "log.2"), ("log", "log.1")],
    ];
    for moves in moves {
        let scratch = Scratch::new(&format!("cut-short-{}", moves.len()));
        let options = small(1000, 5);
        let mut count = 0;
        let mut writer = scratch.writer(&options);
        while scratch.files().len() < 3 || std::fs::metadata(scratch.path.join("log")).unwrap().len() < 1000 {
            write_numbers(&mut writer, count..count + 1);
            count += 1;
        }
        drop(writer);
        let mut follower = scratch.reader(ReadRequest { follow: true, ..ReadRequest::default() });
        assert_eq!(rest(&mut follower).len(), count as usize);
        std::fs::write(scratch.path.join(".log.new"), "").unwrap();
        for (from, to) in moves {
            std::fs::rename(scratch.path.join(from), scratch.path.join(to)).unwrap();
        }
        assert_eq!(scratch.lines(ReadRequest::default()), numbers(0..count), "{moves:?}");
        assert!(follower.next_entry().unwrap().is_none());
        let mut writer = scratch.writer(&options);
        write_numbers(&mut writer, count..count + 1);
        assert_eq!(scratch.files(), ["log", "log.1", "log.2", "log.3"], "{moves:?}");
        assert_eq!(scratch.lines(ReadRequest::default()), numbers(0..count + 1), "{moves:?}");
        let followed: Vec<String> = rest(&mut follower).into_iter().map(|entry| entry.line).collect();
        assert_eq!(followed, numbers(count..count + 1), "{moves:?}");
    }
}
