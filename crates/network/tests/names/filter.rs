//! The filter that a supervisor puts on a process that serves: the listed system calls and no other.

use sys::seccomp::Instruction;

const LOAD: u16 = 0x20;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
const ALLOW: u32 = 0x7fff_0000;
const KILL: u32 = 0x8000_0000;

/// What the end of a thread takes, beside what it has done.
const END_OF_THREAD: &[&str] = &["futex", "madvise", "membarrier", "munmap", "rt_sigprocmask", "sigaltstack", "exit"];

/// Puts this thread under it.
pub fn load(system_calls: &[&str]) {
    let instruction = |code, jump_true, jump_false, operand| Instruction { code, jump_true, jump_false, operand };
    let mut program = vec![instruction(LOAD, 0, 0, 0)];
    for name in system_calls.iter().chain(END_OF_THREAD) {
        let Some(number) = number(name) else { continue };
        program.push(instruction(JUMP_IF_EQUAL, 0, 1, number));
        program.push(instruction(RETURN, 0, 0, ALLOW));
    }
    program.push(instruction(RETURN, 0, 0, KILL));
    sys::seccomp::load(&program, 0).unwrap();
}

/// `None` for what this architecture does not have.
fn number(name: &str) -> Option<u32> {
    let number = match name {
        "epoll_create1" => libc::SYS_epoll_create1,
        "epoll_ctl" => libc::SYS_epoll_ctl,
        "epoll_pwait" => libc::SYS_epoll_pwait,
        "clock_gettime" => libc::SYS_clock_gettime,
        "read" => libc::SYS_read,
        "futex" => libc::SYS_futex,
        "restart_syscall" => libc::SYS_restart_syscall,
        "recvfrom" => libc::SYS_recvfrom,
        "sendto" => libc::SYS_sendto,
        "accept4" => libc::SYS_accept4,
        "socket" => libc::SYS_socket,
        "connect" => libc::SYS_connect,
        "getsockopt" => libc::SYS_getsockopt,
        "setsockopt" => libc::SYS_setsockopt,
        "shutdown" => libc::SYS_shutdown,
        "fcntl" => libc::SYS_fcntl,
        "close" => libc::SYS_close,
        "getrandom" => libc::SYS_getrandom,
        "openat" => libc::SYS_openat,
        "getdents64" => libc::SYS_getdents64,
        "readlinkat" => libc::SYS_readlinkat,
        "mmap" => libc::SYS_mmap,
        "mremap" => libc::SYS_mremap,
        "munmap" => libc::SYS_munmap,
        "madvise" => libc::SYS_madvise,
        "brk" => libc::SYS_brk,
        "sigaltstack" => libc::SYS_sigaltstack,
        "rt_sigprocmask" => libc::SYS_rt_sigprocmask,
        "rt_sigreturn" => libc::SYS_rt_sigreturn,
        "membarrier" => libc::SYS_membarrier,
        "exit" => libc::SYS_exit,
        _ => panic!("{name} has no number here"),
    };
    Some(u32::try_from(number).unwrap())
}
