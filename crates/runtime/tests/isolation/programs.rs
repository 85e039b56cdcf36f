//! The program: found, refused, looked after by our init.

use crate::Case;
use crate::machine::{Machine, end, exec, shell, wait_until};
use runtime::spec::Namespace;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;

pub const CASES: &[Case] = &[
    ("programs_are_found_along_the_path", programs_are_found_along_the_path),
    ("refusals_have_dockers_words", refusals_have_dockers_words),
    ("an_init_reaps_and_ends_as_its_program", an_init_reaps_and_ends_as_its_program),
    ("an_init_passes_signals_on", an_init_passes_signals_on),
    ("memory_that_ends_before_the_program_is_told", memory_that_ends_before_the_program_is_told),
];

fn programs_are_found_along_the_path() {
    let mut machine = Machine::new("");
    for (path, command, code) in [
        ("/missing:/bin", "true", 0),
        ("/bin/", "true", 0),
        ("/bin", "/bin/true", 0),
        ("", "bin/true", 0),
        ("bin:.", "true", 127),
        ("", "true", 127),
        ("/bin", "", 127),
    ] {
        machine.spec.process.environment = vec![format!("PATH={path}")];
        machine.spec.process.arguments = vec![command.to_owned()];
        let seen = machine.attempt().map_or_else(|error| i32::from(error.exit_code()), |outcome| outcome.code);
        assert_eq!(seen, code, "{command} in {path}");
    }
}

fn refusals_have_dockers_words() {
    let mut machine = Machine::new("");
    let root = machine.root();
    let file = |name: &str, text: &str, mode| {
        std::fs::write(root.join(name), text).unwrap();
        std::fs::set_permissions(root.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    file("bin/plain", "echo\n", 0o644);
    file("bin/script", "echo no first line\n", 0o755);
    file("bin/lost", "#!/missing/interpreter\n", 0o755);
    file("bin/bare", "", 0o755);
    let (mut codes, mut exec_codes) = (Vec::new(), Vec::new());
    let cases = [
        ("foo", "exec: \"foo\": executable file not found in $PATH", 127),
        ("plain", "exec: \"plain\": executable file not found in $PATH", 127),
        ("/bin/foo", "exec: \"/bin/foo\": no such file or directory", 127),
        ("/bin/plain", "exec: \"/bin/plain\": permission denied", 126),
        ("/tmp", "exec: \"/tmp\": is a directory", 126),
        ("/etc/passwd/x", "exec: \"/etc/passwd/x\": not a directory", 127),
        ("script", "exec: \"/bin/script\": exec format error", 126),
        ("/bin/bare", "exec: \"/bin/bare\": exec format error", 126),
        ("/bin/lost", "exec: \"/bin/lost\": no such file or directory: its interpreter is missing", 127),
    ];
    machine.spec.process = shell("sleep 1000");
    let (container, _ends) = machine.start();
    for (command, message, code) in cases {
        let mut process = shell("");
        process.arguments = vec![command.to_owned()];
        let error = exec(&container, &process).unwrap_err();
        assert!(error.to_string().starts_with(message), "{error}");
        exec_codes.push((error.exit_code(), code));
    }
    end(container);
    for init in [false, true] {
        machine.spec.init = init;
        for (command, message, code) in cases {
            machine.spec.process = shell("");
            machine.spec.process.arguments = vec![command.to_owned()];
            let error = machine.attempt().unwrap_err();
            assert!(error.to_string().starts_with(message), "{error}");
            codes.push((error.exit_code(), code));
        }
    }
    assert!(codes.iter().chain(&exec_codes).all(|(seen, wanted)| seen == wanted), "{codes:?} {exec_codes:?}");
}

fn an_init_reaps_and_ends_as_its_program() {
    for pid in [Namespace::New, Namespace::Host] {
        let mut machine = Machine::new("(sleep 0.01 & sleep 0.01 & true); sleep 0.2; ps -o pid,stat,comm; exit 9");
        machine.spec.namespaces.pid = pid;
        machine.spec.init = true;
        let seen = machine.run();
        assert_eq!(seen.code, 9);
        if pid == Namespace::New {
            assert!(!seen.out.contains(" Z ") && seen.out.contains("berth-init"), "{}", seen.out);
        }
        machine.spec.process = shell("kill -9 $$");
        assert_eq!(machine.run().code, 137);
    }
    // Without it, the shell as process 1 leaves them.
    let machine = Machine::new("sh -c 'sleep 0.01 & exit 3'; exit 4");
    assert_eq!(machine.run().code, 4);
}

fn an_init_passes_signals_on() {
    let mut machine = Machine::new("trap 'echo got; exit 5' TERM; echo ready; while :; do sleep 0.01; done");
    machine.spec.init = true;
    let (container, ends) = machine.start();
    let mut out = std::fs::File::from(ends.stdout.unwrap());
    let mut ready = [0; 6];
    out.read_exact(&mut ready).unwrap();
    container.init().signal(15).unwrap();
    assert_eq!(wait_until(|| container.init().reap()), Some(5));
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "got\n");
    container.remove().unwrap();
}

fn memory_that_ends_before_the_program_is_told() {
    let mut machine = Machine::new("true");
    machine.spec.cgroup.resources.memory = Some(64 << 10);
    machine.spec.cgroup.resources.memory_swap = Some(64 << 10);
    // It may be enough on a kernel that counts otherwise.
    if let Err(error) = machine.attempt() {
        assert!(error.to_string().contains("memory"), "{error}");
    }
}
