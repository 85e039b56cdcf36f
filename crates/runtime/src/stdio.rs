//! The pipes of a process. A terminal is made by the process itself, in the container's own instance of the terminals' file system.

use crate::container::Input;
use base::{Context, Result};
use rustix::fs::{Mode, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use std::os::fd::OwnedFd;

/// Our ends of a process's pipes, or of its terminal.
#[derive(Debug, Default)]
pub struct Ends {
    /// The terminal; with one, the others are `None`.
    pub terminal: Option<OwnedFd>,
    /// Written to; `None` where it has no input.
    pub stdin: Option<OwnedFd>,
    /// Read from.
    pub stdout: Option<OwnedFd>,
    /// Read from.
    pub stderr: Option<OwnedFd>,
}

/// The process's standard input, output and error.
pub(crate) type Theirs = [OwnedFd; 3];

/// Makes pipes.
pub(crate) fn pipes(input: Input) -> Result<(Theirs, Ends)> {
    let pipe = || pipe_with(PipeFlags::CLOEXEC).context("make a pipe");
    let (stdout, stdout_writer) = pipe()?;
    let (stderr, stderr_writer) = pipe()?;
    let (stdin_reader, stdin) = match input {
        Input::Pipe => pipe().map(|(reader, writer)| (reader, Some(writer)))?,
        Input::Nothing => {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            (rustix::fs::open("/dev/null", flags, Mode::empty()).context("open /dev/null")?, None)
        }
    };
    let ends = Ends { terminal: None, stdin, stdout: Some(stdout), stderr: Some(stderr) };
    Ok(([stdin_reader, stdout_writer, stderr_writer], ends))
}
