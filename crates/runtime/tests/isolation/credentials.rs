//! Who the program is, and what it may do.

use crate::Case;
use crate::machine::{CAPABILITIES, Machine, end, exec, shell};
use base::Kind;
use runtime::seccomp::{Conditions, prepare};
use runtime::spec::Limit;
use std::os::fd::AsFd;

pub const CASES: &[Case] = &[
    ("users_and_groups", users_and_groups),
    ("unknown_users_are_told", unknown_users_are_told),
    ("capabilities_are_bounded_and_never_inheritable", capabilities_are_bounded_and_never_inheritable),
    ("privileges_cannot_be_gained_where_that_is_asked", privileges_cannot_be_gained_where_that_is_asked),
    ("limits_are_set_or_stay_at_ours", limits_are_set_or_stay_at_ours),
    ("oom_scores_are_set", oom_scores_are_set),
    ("system_calls_are_filtered", system_calls_are_filtered),
    ("labels_without_their_module_are_refused", labels_without_their_module_are_refused),
    ("the_rest_of_the_environment_is_clean", the_rest_of_the_environment_is_clean),
];

fn users_and_groups() {
    for (user, additional, seen) in [
        ("", &[][..], "0 0 0 9 /root\n"),
        ("web", &[], "33 44 44 4 9 /var/www\n"),
        ("33", &["root", "77"], "33 44 44 0 4 9 77 /var/www\n"),
        ("web:adm", &[], "33 4 4 /var/www\n"),
        ("1234:5678", &["more"], "1234 5678 5678 9 /\n"),
        ("1234", &[], "1234 0 0 /\n"),
    ] {
        let mut machine = Machine::new("echo $(id -u) $(id -g) $(id -G) $HOME");
        machine.spec.process.user = user.to_owned();
        machine.spec.process.additional_groups = additional.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(machine.output(), seen, "{user}");
    }
    let mut machine = Machine::new("echo $HOME");
    machine.spec.process.environment.push("HOME=/own".to_owned());
    assert_eq!(machine.output(), "/own\n");
    // An image without these files.
    for file in ["passwd", "group"] {
        std::fs::remove_file(machine.root().join("etc").join(file)).unwrap();
    }
    machine.spec.process = shell("id -u; echo $HOME");
    machine.spec.process.user = "7:8".to_owned();
    assert_eq!(machine.output(), "7\n/\n");
}

fn unknown_users_are_told() {
    for (user, message) in [
        ("none", "unable to find user none: no matching entries in passwd file"),
        ("root:none", "unable to find group none: no matching entries in group file"),
        ("-5", "-5: uids and gids must be in range 0-2147483647"),
    ] {
        let mut machine = Machine::new("true");
        machine.spec.process.user = user.to_owned();
        assert_eq!(machine.refusal(), message);
    }
}

const SHOW: &str = "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status";

fn sets(text: &str) -> Vec<u64> {
    let sets = text.lines().filter_map(|line| line.strip_prefix("Cap")?.split_whitespace().nth(1));
    sets.map(|set| u64::from_str_radix(set, 16).unwrap()).collect()
}

fn capabilities_are_bounded_and_never_inheritable() {
    let ours = std::fs::read_to_string("/proc/self/status").unwrap();
    let all = sets(&ours)[3];
    // Inherited ones of the parent must not get through.
    let inheritable = rustix::thread::capabilities(None).unwrap();
    let sets_of_parent = rustix::thread::CapabilitySets { inheritable: inheritable.permitted, ..inheritable };
    rustix::thread::set_capabilities(None, sets_of_parent).unwrap();
    rustix::thread::configure_capability_in_ambient_set(rustix::thread::CapabilitySet::NET_ADMIN, true).unwrap();
    for (wanted, user) in [(CAPABILITIES, ""), (CAPABILITIES, "web"), (u64::MAX, ""), (0, ""), (u64::MAX, "web")] {
        let mut machine = Machine::new(SHOW);
        machine.spec.process.capabilities = wanted;
        machine.spec.process.user = user.to_owned();
        let bounding = wanted & all;
        let effective = if user.is_empty() { bounding } else { 0 };
        // Inheritable, permitted, effective, bounding, ambient.
        assert_eq!(sets(&machine.output()), [0, effective, effective, bounding, 0]);
        machine.spec.process = shell("sleep 1000");
        let (container, _ends) = machine.start();
        let mut process = shell(SHOW);
        process.capabilities = wanted;
        process.user = user.to_owned();
        assert_eq!(sets(&exec(&container, &process).unwrap().out), [0, effective, effective, bounding, 0]);
        end(container);
    }
}

fn privileges_cannot_be_gained_where_that_is_asked() {
    let mut machine = Machine::new(SHOW);
    assert!(machine.output().contains("NoNewPrivs:\t0\nSeccomp:\t0\n"));
    machine.spec.process.no_new_privileges = true;
    assert!(machine.output().contains("NoNewPrivs:\t1\n"));
}

fn limits_are_set_or_stay_at_ours() {
    let limit = |resource: &str, soft, hard| Limit { resource: resource.to_owned(), soft, hard };
    let mut machine = Machine::new("ulimit -Sn; ulimit -Hn");
    machine.spec.process.limits = vec![limit("nofile", Some(100), Some(200)), limit("core", Some(0), Some(0))];
    assert_eq!(machine.output(), "100\n200\n");
    let ours = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    machine.spec.process.limits = vec![limit("nofile", Some(100), Some(1 << 40))];
    let may_raise = rustix::process::setrlimit(
        rustix::process::Resource::Nofile,
        rustix::process::Rlimit { current: Some(50), maximum: Some(1 << 40) },
    )
    .is_ok();
    if !may_raise {
        assert_eq!(machine.output(), format!("100\n{}\n", ours.unwrap()));
    }
    machine.spec.process.limits = vec![limit("patience", Some(1), Some(1))];
    assert_eq!(machine.refusal(), "there is no limit called \"patience\"");
}

fn oom_scores_are_set() {
    let mut machine = Machine::new("cat /proc/self/oom_score_adj");
    machine.spec.process.oom_score_adjustment = Some(500);
    assert_eq!(machine.output(), "500\n");
    // Ours stays where a lower one is refused.
    machine.spec.process.oom_score_adjustment = Some(-900);
    let seen = machine.output();
    assert!(seen == "-900\n" || seen == std::fs::read_to_string("/proc/self/oom_score_adj").unwrap(), "{seen}");
    machine.spec.process.oom_score_adjustment = Some(5000);
    assert!(machine.refusal().contains("between -1000 and 1000"));
}

fn system_calls_are_filtered() {
    let profile = r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}"#;
    let mut machine = Machine::new(&format!("mkdir /x 2>&1; mkdir /x 2>/dev/null || {SHOW}"));
    let cache = base::file::make_directories(&machine.top.join("cache"), 0o700).unwrap();
    let conditions =
        Conditions { architecture: runtime::seccomp::Architecture::X86_64, kernel: (6, 1), capabilities: 0 };
    let prepared = prepare(cache.as_fd(), profile, &conditions).unwrap();
    machine.spec.process.system_calls = Some(machine.top.join("cache").join(prepared.name));
    for init in [false, true] {
        for no_new_privileges in [false, true] {
            for user in ["", "web"] {
                machine.spec.init = init;
                machine.spec.process.no_new_privileges = no_new_privileges;
                machine.spec.process.user = user.to_owned();
                let seen = machine.output();
                assert!(seen.contains("Function not implemented") && seen.contains("Seccomp:\t2\n"), "{seen}");
                let privileges = if user.is_empty() { CAPABILITIES } else { 0 };
                assert_eq!(sets(&seen)[1..4], [privileges, privileges, CAPABILITIES], "{seen}");
            }
        }
    }
    let filter = machine.spec.process.system_calls.take();
    machine.spec.process = shell("sleep 1000");
    let (container, _ends) = machine.start();
    let mut process = shell("mkdir /x");
    process.system_calls = filter;
    assert!(exec(&container, &process).unwrap().err.contains("Function not implemented"));
    end(container);
    machine.spec.process.system_calls = Some(machine.top.join("cache/missing"));
    assert!(machine.refusal().contains("is missing"));
}

fn labels_without_their_module_are_refused() {
    let mut machine = Machine::new("true");
    machine.spec.process.apparmor_profile = Some("mine".to_owned());
    if !std::path::Path::new("/sys/module/apparmor").exists() {
        let error = machine.attempt().unwrap_err();
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(error.to_string().contains("AppArmor is not enabled"), "{error}");
    }
    machine.spec.process.apparmor_profile = Some("unconfined".to_owned());
    assert_eq!(machine.output(), "");
    machine.spec.process.selinux_label = Some("a:b:c:d".to_owned());
    if !std::path::Path::new("/sys/fs/selinux/enforce").exists() {
        assert!(machine.refusal().contains("SELinux is not enabled"));
    }
}

fn the_rest_of_the_environment_is_clean() {
    // Whatever the parent has ignored, blocked or masked.
    sys::process::set_blocked(&[1, 2, 15]).unwrap();
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o777));
    let machine = Machine::new("");
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    drop(machine);
    let machine = Machine::new("umask; grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status; env");
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o777));
    let seen = machine.run().out;
    assert!(seen.starts_with("0022\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"), "{seen}");
    assert!(seen.ends_with("HOME=/root\nPATH=/bin\nPWD=/\n"), "{seen:?}");
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
}
