//! The flags of `run` and `create` that say who the process is: each is observed from inside the container.

use crate::harness::{Host, IMAGE};

/// Runs `script` in a shell of a new container with `flags` and gives what it printed.
fn observe(host: &Host, flags: &[&str], script: &str) -> String {
    let mut arguments = vec!["run", "--rm"];
    arguments.extend(flags);
    arguments.extend([IMAGE, "sh", "-c", script]);
    host.berth(arguments).ok().out()
}

#[test]
fn environment() {
    let host = Host::with_image();
    assert_eq!(observe(&host, &["-e", "A=1", "--env", "B=x=y"], "echo $A $B"), "1 x=y");
    let file = host.file("env", "# a comment\nC=from file\n\nD\n");
    assert_eq!(observe(&host, &["--env-file", file.to_str().unwrap()], "echo $C-$D"), "from file-");
    assert_eq!(
        observe(&host, &[], "echo $PATH; echo $HOME; hostname | wc -c"),
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n/root\n13"
    );
    let mut command = host.command();
    command.args(["run", "--rm", "-e", "TAKEN", "-e", "UNSET", IMAGE, "env"]).env("TAKEN", "from here");
    let seen = crate::harness::finish(command, b"").ok().stdout;
    assert!(seen.contains("TAKEN=from here\n") && !seen.contains("UNSET"), "{seen}");
}

#[test]
fn user_and_groups() {
    let host = Host::with_image();
    assert_eq!(observe(&host, &["-u", "user"], "id -u; id -g; id -G; echo $HOME"), "1000\n1000\n1000 2000\n/home/user");
    assert_eq!(observe(&host, &["-u", "1000:3000"], "id -u; id -g"), "1000\n3000");
    assert_eq!(observe(&host, &["-u", "12345"], "id -u; id -g"), "12345\n0");
    assert_eq!(observe(&host, &["--user", "user:other"], "id -g"), "3000");
    assert_eq!(
        observe(&host, &["-u", "user", "--group-add", "other", "--group-add", "4000"], "id -G"),
        "1000 2000 3000 4000"
    );
    host.berth(["run", "--rm", "-u", "nobody-here", IMAGE, "true"]).code(125).says("nobody-here");
    host.berth(["run", "--rm", "--group-add", "nothing", IMAGE, "true"]).code(125).says("nothing");
}

#[test]
fn working_directory_is_made_and_must_be_absolute() {
    let host = Host::with_image();
    assert_eq!(observe(&host, &["-w", "/made/for/this"], "pwd"), "/made/for/this");
    assert_eq!(observe(&host, &["--workdir", "/tmp"], "pwd"), "/tmp");
    host.berth(["run", "--rm", "-w", "relative", IMAGE, "true"]).code(125).says("relative");
}

#[test]
fn names_of_the_host() {
    let host = Host::with_image();
    assert_eq!(
        observe(
            &host,
            &["--hostname", "web", "--domainname", "example.org"],
            "hostname; cat /proc/sys/kernel/domainname; cat /etc/hostname"
        ),
        "web\nexample.org\nweb"
    );
    let hosts = observe(
        &host,
        &["--hostname", "web", "--add-host", "db:10.0.0.9", "--add-host", "six=2001:db8::1"],
        "cat /etc/hosts",
    );
    assert!(
        hosts.contains("127.0.0.1\tlocalhost") && hosts.contains("10.0.0.9\tdb") && hosts.contains("2001:db8::1\tsix"),
        "{hosts}"
    );
    let resolver = observe(
        &host,
        &["--network", "host", "--dns", "192.0.2.1", "--dns-search", "example.org", "--dns-option", "ndots:2"],
        "cat /etc/resolv.conf",
    );
    assert!(
        resolver.contains("nameserver 192.0.2.1")
            && resolver.contains("search example.org")
            && resolver.contains("ndots:2"),
        "{resolver}"
    );
    host.berth(["run", "--rm", "--add-host", "broken", IMAGE, "true"]).code(125).says("broken");
}

#[test]
fn labels() {
    let host = Host::with_image();
    let file = host.file("labels", "from.file=yes\n# no\nempty\n");
    host.berth([
        "create",
        "--name",
        "c1",
        "-l",
        "a=b",
        "--label",
        "bare",
        "--label-file",
        file.to_str().unwrap(),
        IMAGE,
        "true",
    ])
    .ok();
    assert_eq!(host.inspect("c1", "{{json .Config.Labels}}"), r#"{"a":"b","bare":"","empty":"","from.file":"yes"}"#);
}

#[test]
fn read_only_root_and_tmpfs() {
    let host = Host::with_image();
    assert_eq!(
        observe(&host, &["--read-only"], "touch /x 2>/dev/null || echo refused; touch /dev/shm/x && echo shm"),
        "refused\nshm"
    );
    let seen = observe(
        &host,
        &["--read-only", "--tmpfs", "/scratch:size=1m,mode=1777"],
        "touch /scratch/x && echo ok; df -k /scratch | tail -1 | awk '{print $2}'",
    );
    assert_eq!(seen, "ok\n1024");
    assert_eq!(observe(&host, &["--shm-size", "2m"], "df -k /dev/shm | tail -1 | awk '{print $2}'"), "2048");
    assert_eq!(observe(&host, &[], "df -k /dev/shm | tail -1 | awk '{print $2}'"), "65536");
}

#[test]
fn ulimits() {
    let host = Host::with_image();
    assert_eq!(
        observe(&host, &["--ulimit", "nofile=100:200", "--ulimit", "core=0"], "ulimit -n; ulimit -Hn; ulimit -c"),
        "100\n200\n0"
    );
    assert_eq!(observe(&host, &[], "ulimit -n"), "1024");
    host.berth(["run", "--rm", "--ulimit", "nofile=200:100", IMAGE, "true"]).code(125);
    host.berth(["run", "--rm", "--ulimit", "nothing=1", IMAGE, "true"]).code(125).says("nothing");
}

#[test]
fn sysctls_of_namespaces_only() {
    let host = Host::with_image();
    assert_eq!(
        observe(
            &host,
            &["--sysctl", "net.ipv4.ip_forward=1", "--sysctl", "kernel.shm_rmid_forced=1"],
            "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shm_rmid_forced"
        ),
        "1\n1"
    );
    for refused in [
        "kernel.core_pattern=|/x",
        "vm.swappiness=1",
        "net.ipv4.ip_forward=1+kernel.core_pattern=x",
        "kernel/../vm.x=1",
    ] {
        let setting = format!("--sysctl={refused}");
        host.berth(["run", "--rm", &setting, IMAGE, "true"]).code(125);
    }
    host.berth(["run", "--rm", "--network", "host", "--sysctl", "net.ipv4.ip_forward=1", IMAGE, "true"])
        .code(125)
        .says("net.ipv4.ip_forward");
}

#[test]
fn oom_score() {
    let host = Host::with_image();
    assert_eq!(observe(&host, &["--oom-score-adj", "500"], "cat /proc/self/oom_score_adj"), "500");
}

#[test]
fn init_reaps_and_forwards() {
    let host = Host::with_image();
    // An orphan whose number is free again has been reaped.
    let orphan = "(sh -c 'echo $$ > /orphan' &); until [ -s /orphan ]; do :; done; while [ -e /proc/$(cat /orphan) ]; do :; done";
    assert_eq!(observe(&host, &["--init"], &format!("{orphan}; [ $$ != 1 ] && echo not first")), "not first");
    host.berth(["run", "--rm", "--init", IMAGE, "sh", "-c", "exit 7"]).code(7);
    host.berth([
        "run",
        "-d",
        "--init",
        "--name",
        "stopped",
        IMAGE,
        "sh",
        "-c",
        "trap 'exit 3' TERM; while :; do sleep 0.05; done",
    ])
    .ok();
    host.berth(["stop", "stopped"]).ok();
    assert_eq!(host.inspect("stopped", "{{.State.ExitCode}}"), "3");
}

#[test]
fn names_are_taken_once_and_checked() {
    let host = Host::with_image();
    let id = host.berth(["create", "--name", "web", IMAGE, "true"]).ok().out();
    host.berth(["create", "--name", "web", IMAGE, "true"])
        .code(125)
        .says("is already in use by container")
        .says(&id[..12]);
    for bad in ["-x", "a/b", "..", "a b", ""] {
        host.berth(["create", &format!("--name={bad}"), IMAGE, "true"]).code(if bad.is_empty() { 0 } else { 125 });
    }
    let generated = host.inspect(&host.berth(["create", IMAGE, "true"]).ok().out(), "{{.Name}}");
    assert!(generated.starts_with('/') && generated.contains('_'), "{generated}");
}

#[test]
fn two_takers_of_one_name_at_once() {
    let host = Host::with_image();
    let codes: Vec<i32> = std::thread::scope(|scope| {
        let takers: Vec<_> =
            (0..6).map(|_| scope.spawn(|| host.berth(["create", "--name", "one", IMAGE, "true"]).code)).collect();
        takers.into_iter().map(|taker| taker.join().unwrap()).collect()
    });
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
    assert_eq!(host.containers().len(), 1);
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let host = Host::with_image();
    let help = host.berth(["run", "--help"]).ok().stdout;
    // A text that is too long for its line goes on in the next.
    let mut options: Vec<Vec<&str>> = Vec::new();
    for line in help.lines() {
        match options.last_mut() {
            Some(option) if !line.trim_start().starts_with('-') => option.extend(line.split_whitespace()),
            _ => options.push(line.split_whitespace().collect()),
        }
    }
    let refused: Vec<_> = options.iter().filter(|option| option.join(" ").contains("(not supported)")).collect();
    assert!(refused.len() >= 30, "{} {refused:?}", refused.len());
    for option in refused {
        let at = option.iter().position(|word| word.starts_with("--")).unwrap();
        let name = option[at];
        // A flag that takes a value says of which kind it is, in lower case; what it does begins with a capital.
        let value = match option[at + 1] {
            "duration" => "=1s",
            kind if kind.starts_with(char::is_lowercase) => "=1",
            // There is nothing to disable, so this may be said; what may not is the contrary.
            _ if name == "--disable-content-trust" => "=false",
            _ => "",
        };
        let flag = format!("{name}{value}");
        host.berth(["run", "--rm", &flag, IMAGE, "true"]).code(125).says(&format!("not supported: {name}"));
    }
    for (flags, message) in [
        (["--network", "mine"], "network mine not found"),
        (["--network", "name=mine,driver-opt=a=b"], "not supported: --network with driver-opt"),
    ] {
        host.berth(["run", flags[0], flags[1], IMAGE, "true"]).code(125).says(message);
    }
    assert!(host.containers().is_empty());
    host.berth(["run", "--no-such-flag", IMAGE]).code(125).says("unknown flag: --no-such-flag");
}
