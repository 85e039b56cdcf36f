//! The program: found as a shell would find it, and executed. Messages are those that Docker's users know.

use crate::spec::Process;
use base::{Context, Error, Result};
use rustix::fs::{Access, AtFlags, CWD, FileType};
use rustix::io::Errno;
use std::ffi::CString;

/// The program's path, inside the container.
pub(super) fn find(process: &Process) -> Result<CString> {
    let Some(name) = process.arguments.first() else { return Err(Error::invalid("there is no command")) };
    if name.contains('/') {
        return match check(name) {
            Ok(()) => path(name),
            Err(errno) => Err(refusal(name, errno)),
        };
    }
    let missing = || Error::command_not_found(format!("exec: {name:?}: executable file not found in $PATH"));
    if name.is_empty() {
        return Err(missing());
    }
    let variable = process.environment.iter().rev().find_map(|variable| variable.strip_prefix("PATH="));
    // A relative directory would mean whatever the working directory holds.
    let directories = variable.unwrap_or_default().split(':').filter(|directory| directory.starts_with('/'));
    for directory in directories {
        let candidate = format!("{}/{name}", directory.trim_end_matches('/'));
        if check(&candidate).is_ok() {
            return path(&candidate);
        }
    }
    Err(missing())
}

/// Becomes the program; returns only on failure.
pub(super) fn execute(program: &CString, arguments: &[CString], environment: &[CString]) -> Error {
    let errno = sys::process::execute(program, arguments, environment);
    refusal(&program.to_string_lossy(), errno)
}

fn check(path: &str) -> Result<(), Errno> {
    let status = rustix::fs::stat(path)?;
    if FileType::from_raw_mode(status.st_mode) == FileType::Directory {
        return Err(Errno::ISDIR);
    }
    rustix::fs::accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS)
}

fn path(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::invalid("the command contains a zero byte"))
}

fn refusal(path: &str, errno: Errno) -> Error {
    let said = |why: &str| format!("exec: {path:?}: {why}");
    match errno {
        // The file itself, or the interpreter that its first line or its header names.
        Errno::NOENT => Error::command_not_found(said(match rustix::fs::stat(path) {
            Ok(_) => "no such file or directory: its interpreter is missing",
            Err(_) => "no such file or directory",
        })),
        Errno::NOTDIR => Error::command_not_found(said("not a directory")),
        Errno::ISDIR => Error::command_not_runnable(said("is a directory")),
        Errno::ACCESS | Errno::PERM => Error::command_not_runnable(said("permission denied")),
        Errno::NOEXEC => Error::command_not_runnable(said(
            "exec format error: a script needs a first line as in #!/bin/sh, a program must be for this machine",
        )),
        Errno::TXTBSY => Error::command_not_runnable(said("text file busy")),
        Errno::TOOBIG => Error::command_not_runnable(said("argument list too long")),
        errno => match Err::<(), _>(errno).with_context(|| format!("exec: {path:?}")) {
            Err(error) => error.with_kind(base::Kind::CommandNotRunnable),
            Ok(()) => Error::internal("exec"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_dockers_words_and_codes() {
        for (errno, code, words) in [
            (Errno::NOENT, 127, "exec: \"/missing\": no such file or directory"),
            (Errno::NOTDIR, 127, "exec: \"/missing\": not a directory"),
            (Errno::ISDIR, 126, "exec: \"/missing\": is a directory"),
            (Errno::ACCESS, 126, "exec: \"/missing\": permission denied"),
            (Errno::NOEXEC, 126, "exec: \"/missing\": exec format error"),
            (Errno::IO, 126, "exec: \"/missing\": "),
        ] {
            let error = refusal("/missing", errno);
            assert_eq!(error.exit_code(), code, "{error}");
            assert!(error.to_string().starts_with(words), "{error}");
        }
    }
}
