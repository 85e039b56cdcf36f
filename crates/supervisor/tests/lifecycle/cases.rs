//! What supervisors promise.

use crate::machine::{ALL, Machine, PATIENCE, kind_of, process, read_frames, read_until, wait_until};
use base::Kind;
use base::id::Id;
use network::lease::PortRequest;
use network::port::Protocol;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use supervisor::client::{ServedNetwork, Told, Waiting};
use supervisor::exec::Record;
use supervisor::plan::{AfterExit, Stdin};
use supervisor::protocol::{Attach, Condition, Exec, Pace, Patience, SignalMeaning, Stop};
use supervisor::restart::Policy;
use supervisor::state::{Observed, Status};

/// Every case by its name.
pub const CASES: &[(&str, fn())] = &[
    ("runs_to_its_exit_with_streams_apart", runs_to_its_exit_with_streams_apart),
    ("a_client_brings_its_own_stream", a_client_brings_its_own_stream),
    ("input_ends_by_half_close", input_ends_by_half_close),
    ("a_terminal_has_a_size", a_terminal_has_a_size),
    ("execs_have_streams_codes_and_records", execs_have_streams_codes_and_records),
    ("a_missing_command_is_told", a_missing_command_is_told),
    ("dropping_the_start_tears_down", dropping_the_start_tears_down),
    ("stop_asks_then_kills", stop_asks_then_kills),
    ("pause_freezes_and_stop_thaws", pause_freezes_and_stop_thaws),
    ("who_offers_it_clears_away", who_offers_it_clears_away),
    ("the_helper_follows_who_does_not_clear_away", the_helper_follows_who_does_not_clear_away),
    ("restarts_as_often_as_the_policy_says", restarts_as_often_as_the_policy_says),
    ("a_stop_overrules_the_policy", a_stop_overrules_the_policy),
    ("what_runs_on_in_the_background_holds_nothing_up", what_runs_on_in_the_background_holds_nothing_up),
    ("a_slow_client_is_cut_off_and_nobody_waits", a_slow_client_is_cut_off_and_nobody_waits),
    ("the_foreground_client_makes_it_wait", the_foreground_client_makes_it_wait),
    ("only_the_first_of_several_clients_makes_it_wait", only_the_first_of_several_clients_makes_it_wait),
    ("memory_that_runs_out_is_told", memory_that_runs_out_is_told),
    ("a_killed_supervisor_leaves_a_broken_container", a_killed_supervisor_leaves_a_broken_container),
    ("the_keeper_calls_for_help", the_keeper_calls_for_help),
    ("a_policy_that_comes_later_brings_a_keeper", a_policy_that_comes_later_brings_a_keeper),
    ("two_supervisors_are_one_too_many", two_supervisors_are_one_too_many),
    ("the_program_is_out_of_reach", the_program_is_out_of_reach),
    ("a_failure_of_the_set_up_is_told", a_failure_of_the_set_up_is_told),
    ("an_init_of_ours_can_be_asked_for", an_init_of_ours_can_be_asked_for),
    ("ports_answer_on_loopback_by_ipv6", ports_answer_on_loopback_by_ipv6),
    ("rules_are_withdrawn_at_the_last_exit", crate::rules::are_withdrawn_at_the_last_exit),
    ("rules_that_cannot_be_withdrawn_are_left_to_the_engine", crate::rules::left_to_the_engine),
];

fn runs_to_its_exit_with_streams_apart() {
    let machine = Machine::new("echo out; echo err >&2; exit 3");
    let starting = machine.spawn().unwrap();
    assert!(starting.network_namespace().is_some());
    let streams = starting.attach(ALL).unwrap();
    assert!(!streams.terminal);
    let wait = starting.connect().unwrap().wait(Condition::NextExit).unwrap();
    let removed = starting.connect().unwrap().wait(Condition::Removed).unwrap();
    starting.release(None).unwrap();
    assert_eq!(read_frames(&streams.stream), ("out\n".to_owned(), "err\n".to_owned()));
    assert_eq!(wait.finish().unwrap(), (3, String::new()));
    assert_eq!(removed.finish().unwrap().0, 3);
    let state = machine.exited();
    assert_eq!((state.exit_code, state.pid, state.oom_killed), (3, 0, false));
    let mut log = machine.log();
    log.sort();
    assert_eq!(log, ["err\n", "out\n"]);
    assert_eq!(machine.called().unwrap(), format!("container-exited {}", machine.plan.id));
    assert!(supervisor::client::Client::connect(machine.directory.as_fd()).unwrap().is_none());
}

/// A container that has exited with 3: the wait of the client that was asked to clear away, and that of another one.
fn undertaken(machine: &Machine) -> (Waiting, Waiting) {
    let starting = machine.spawn().unwrap();
    let mut first = starting.connect().unwrap().undertake().unwrap();
    let mut other = starting.connect().unwrap().undertake().unwrap();
    starting.release(None).unwrap();
    assert_eq!(first.poll(PATIENCE).unwrap(), Some(Told::Undertake(3, String::new())));
    assert_eq!(other.poll(Duration::from_millis(20)).unwrap(), None);
    (first, other)
}

fn who_offers_it_clears_away() {
    let machine = Machine::new("exit 3");
    let (first, other) = undertaken(&machine);
    std::fs::remove_dir_all(machine.root.join("containers")).unwrap();
    drop(first);
    assert_eq!(other.finish().unwrap().0, 3);
    assert_eq!(machine.called(), None);
}

fn the_helper_follows_who_does_not_clear_away() {
    let leaves: fn(Waiting) -> Option<Waiting> = |_| None;
    let gives_up = |first: Waiting| {
        first.give_up().unwrap();
        assert_eq!(first.finish().unwrap().0, 3);
        None
    };
    for way in [leaves, gives_up, Some] {
        let machine = Machine::new("exit 3");
        let (first, other) = undertaken(&machine);
        let silent = way(first);
        assert_eq!(other.finish().unwrap().0, 3);
        assert_eq!(machine.called().unwrap(), format!("container-exited {}", machine.plan.id));
        drop(silent);
    }
    // And who left before the exit.
    let machine = Machine::new("exit 3");
    let starting = machine.spawn().unwrap();
    let removed = starting.connect().unwrap().wait(Condition::Removed).unwrap();
    drop(starting.connect().unwrap().undertake().unwrap());
    starting.release(None).unwrap();
    assert_eq!(removed.finish().unwrap().0, 3);
    assert_eq!(machine.called().unwrap(), format!("container-exited {}", machine.plan.id));
}

fn a_client_brings_its_own_stream() {
    let mut machine = Machine::new("cat; echo end");
    machine.plan.stdin = Stdin::Once;
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    // Before there is a supervisor.
    (&ours).write_all(b"early ").unwrap();
    ours.shutdown(Shutdown::Write).unwrap();
    let starting = machine.spawn().unwrap();
    starting.attach_stream(ALL, theirs.as_fd()).unwrap();
    drop(theirs);
    starting.release(None).unwrap();
    assert_eq!(read_frames(&ours), ("early end\n".to_owned(), String::new()));
    assert_eq!(machine.exited().exit_code, 0);
}

fn input_ends_by_half_close() {
    let mut machine = Machine::new("cat; echo end");
    machine.plan.stdin = Stdin::Once;
    let starting = machine.spawn().unwrap();
    let streams = starting.attach(ALL).unwrap();
    starting.release(None).unwrap();
    let text = "many bytes ".repeat(50_000);
    let mut writer = streams.stream.try_clone().unwrap();
    let sent = text.clone();
    let thread = std::thread::spawn(move || {
        writer.write_all(sent.as_bytes()).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    assert_eq!(read_frames(&streams.stream), (text + "end\n", String::new()));
    thread.join().unwrap();
    assert_eq!(machine.exited().exit_code, 0);
}

fn a_terminal_has_a_size() {
    let mut machine = Machine::new("stty size; read line; stty size; echo \"got $line\"");
    machine.plan.spec.process.terminal = true;
    machine.plan.spec.process.console_size = (11, 22);
    machine.plan.stdin = Stdin::Open;
    let starting = machine.spawn().unwrap();
    let streams = starting.attach(ALL).unwrap();
    assert!(streams.terminal);
    let client = starting.release(None).unwrap().into_client();
    read_until(&streams.stream, "11 22\r\n");
    client.resize(None, 33, 44).unwrap();
    (&streams.stream).write_all(b"hello\n").unwrap();
    let text = read_until(&streams.stream, "got hello\r\n");
    assert!(text.contains("33 44\r\n"), "{text:?}");
    assert_eq!(machine.exited().exit_code, 0);
    assert_eq!(machine.log()[0], "11 22\r\n");
}

fn exec(arguments: &[&str], attach: Option<Attach>) -> Exec {
    Exec { id: Id::random().unwrap(), process: process(arguments), attach }
}

fn execs_have_streams_codes_and_records() {
    let machine = Machine::new("sleep 1000");
    let client = machine.run().into_client();
    let request = exec(&["/bin/sh", "-c", "cat; echo err >&2; exit 7"], Some(ALL));
    let streams = client.exec(request.clone()).unwrap().unwrap();
    (&streams.stream).write_all(b"given").unwrap();
    assert!(Record::read(machine.directory.as_fd(), &request.id).unwrap().unwrap().running);
    streams.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_frames(&streams.stream), ("given".to_owned(), "err\n".to_owned()));
    let record = Record::read(machine.directory.as_fd(), &request.id).unwrap().unwrap();
    assert_eq!((record.running, record.exit_code), (false, Some(7)));
    // Without a client, and with a child of its own that outlives it.
    let detached = exec(&["/bin/sh", "-c", "sleep 1000 & exit 4"], None);
    assert!(client.exec(detached.clone()).unwrap().is_none());
    let code = wait_until(|| Record::read(machine.directory.as_fd(), &detached.id).unwrap().unwrap().exit_code);
    assert_eq!(code, Some(4));
    assert_eq!(kind_of(client.exec(exec(&["/bin/missing"], Some(ALL)))), Kind::CommandNotFound);
    assert_eq!(kind_of(client.exec(exec(&["/tmp"], Some(ALL)))), Kind::CommandNotRunnable);
    let mut terminal = exec(&["/bin/sh", "-c", "stty size; read x; stty size"], Some(ALL));
    terminal.process.terminal = true;
    let streams = client.exec(terminal.clone()).unwrap().unwrap();
    read_until(&streams.stream, "\r\n");
    client.resize(Some(terminal.id), 5, 6).unwrap();
    (&streams.stream).write_all(b"\n").unwrap();
    read_until(&streams.stream, "5 6\r\n");
    client.signal(9, SignalMeaning::End).unwrap();
    assert_eq!(machine.exited().exit_code, 137);
}

fn a_missing_command_is_told() {
    for (command, kind) in [("/bin/missing", Kind::CommandNotFound), ("/tmp", Kind::CommandNotRunnable)] {
        let machine = Machine::with_arguments(&[command]);
        let starting = machine.spawn().unwrap();
        let error = starting.release(None).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        let state = machine.exited();
        assert_eq!((state.exit_code, state.error), (i32::from(error.exit_code()), error.to_string()));
        assert!(state.started_at.is_zero());
        assert_eq!(machine.called(), None);
    }
}

fn dropping_the_start_tears_down() {
    let machine = Machine::new("sleep 1000");
    let starting = machine.spawn().unwrap();
    let pid = Pid::from_raw(starting.pid()).unwrap();
    drop(starting);
    let state = machine.exited();
    assert!(state.started_at.is_zero() && !state.error.is_empty());
    assert!(test_kill_process(pid).is_err());
}

fn stop_asks_then_kills() {
    let machine = Machine::new("trap 'echo asked; exit 5' TERM; echo ready; while :; do sleep 0.01; done");
    let client = machine.run().into_client();
    wait_until(|| machine.log().first().cloned()).unwrap();
    let immediate = client.stop(Stop::default()).unwrap();
    assert!(!immediate);
    let state = machine.exited();
    assert_eq!((state.exit_code, state.stopped_by_user), (5, true));
    assert_eq!(machine.log(), ["ready\n", "asked\n"]);
    // One that is too young for anybody to be certain.
    let machine = Machine::with_arguments(&["/bin/sleep", "1000"]);
    let client = machine.run().into_client();
    let began = Instant::now();
    let immediate = client.stop(Stop { signal: None, patience: Some(Patience::Seconds(1)) }).unwrap();
    assert!(!immediate && began.elapsed() > Duration::from_millis(900));
    assert_eq!(machine.exited().exit_code, 137);
}

fn pause_freezes_and_stop_thaws() {
    let machine = Machine::new("trap 'exit 5' TERM; while :; do sleep 0.01; echo x; done");
    let client = machine.run().into_client();
    client.pause().unwrap();
    assert_eq!(client.state().unwrap().status, Status::Paused);
    assert_eq!(kind_of(client.pause()), Kind::Conflict);
    assert_eq!(kind_of(client.exec(exec(&["/bin/true"], None))), Kind::Conflict);
    assert_eq!(kind_of(client.attach(ALL)), Kind::Conflict);
    std::thread::sleep(Duration::from_millis(50));
    let lines = machine.log().len();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(machine.log().len(), lines);
    client.resume().unwrap();
    assert_eq!(kind_of(client.resume()), Kind::Conflict);
    wait_until(|| (machine.log().len() > lines).then_some(())).unwrap();
    client.pause().unwrap();
    client.stop(Stop::default()).unwrap();
    assert_eq!(machine.exited().exit_code, 5);
}

fn restarts_as_often_as_the_policy_says() {
    let mut machine = Machine::new("echo once; exit 1");
    machine.plan.restart = Policy::OnFailure { maximum_retries: 2 };
    let client = machine.run().into_client();
    let began = Instant::now();
    assert_eq!(client.wait(Condition::NotRunning).unwrap().finish().unwrap().0, 1);
    assert!(began.elapsed() > Duration::from_millis(290));
    let state = machine.exited();
    assert_eq!((state.restart_count, state.exit_code), (2, 1));
    assert_eq!(machine.log(), ["once\n", "once\n", "once\n"]);
}

fn a_stop_overrules_the_policy() {
    let mut machine = Machine::new("exit 1");
    machine.plan.restart = Policy::Always;
    machine.run();
    wait_until(|| (machine.state().restart_count >= 3).then_some(())).unwrap();
    let waiting = || (machine.state().status == Status::Restarting).then_some(());
    wait_until(waiting).unwrap();
    machine.client().stop(Stop::default()).unwrap();
    assert!(machine.exited().stopped_by_user);
    // And a policy can be changed while it runs.
    let mut machine = Machine::new("sleep 0.2; exit 1");
    machine.plan.restart = Policy::Always;
    let client = machine.run().into_client();
    client.update_restart_policy(Policy::No).unwrap();
    assert_eq!(machine.exited().restart_count, 0);
}

fn what_runs_on_in_the_background_holds_nothing_up() {
    let machine = Machine::new("sleep 1000 & echo now");
    let starting = machine.spawn().unwrap();
    let streams = starting.attach(ALL).unwrap();
    starting.release(None).unwrap();
    assert_eq!(read_frames(&streams.stream).0, "now\n");
    assert_eq!(machine.exited().exit_code, 0);
    // An exec's child that keeps its pipes.
    let machine = Machine::new("sleep 1000");
    let client = machine.run().into_client();
    let streams = client.exec(exec(&["/bin/sh", "-c", "sleep 1000 & echo now"], Some(ALL))).unwrap().unwrap();
    assert_eq!(read_frames(&streams.stream).0, "now\n");
}

const LOTS: &str =
    "head -c 3000000 /bin/busybox | tail -c 3000000; dd if=/bin/busybox bs=1000000 count=2 2>/dev/null; echo end >&2";

fn a_slow_client_is_cut_off_and_nobody_waits() {
    let machine = Machine::new(LOTS);
    let starting = machine.spawn().unwrap();
    let streams = starting.attach(Attach { pace: Pace::CutOff, ..ALL }).unwrap();
    let wait = starting.connect().unwrap().wait(Condition::NotRunning).unwrap();
    starting.release(None).unwrap();
    // It ends although nobody reads.
    assert_eq!(wait.finish().unwrap().0, 0);
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut &streams.stream, &mut bytes).unwrap();
    assert!(bytes.len() < 1_000_000, "{}", bytes.len());
    assert!(String::from_utf8_lossy(&bytes).contains("was cut off"));
}

fn the_foreground_client_makes_it_wait() {
    let machine = Machine::new(LOTS);
    let starting = machine.spawn().unwrap();
    let streams = starting.attach(ALL).unwrap();
    starting.release(None).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    assert!(matches!(machine.observe(), Observed::Supervised(Some(state)) if state.status == Status::Running));
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut &streams.stream, &mut bytes).unwrap();
    assert!(bytes.len() > 3_000_000, "{}", bytes.len());
    assert!(bytes.ends_with(b"end\n"));
    machine.exited();
}

fn only_the_first_of_several_clients_makes_it_wait() {
    let machine = Machine::new(LOTS);
    let starting = machine.spawn().unwrap();
    // Who gets no output is not in the foreground.
    let input = starting.attach(Attach { stdout: false, stderr: false, ..ALL }).unwrap();
    let first = starting.attach(ALL).unwrap();
    let second = starting.attach(ALL).unwrap();
    let wait = starting.connect().unwrap().wait(Condition::NotRunning).unwrap();
    starting.release(None).unwrap();
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut &first.stream, &mut bytes).unwrap();
    assert!(bytes.len() > 3_000_000, "{}", bytes.len());
    assert_eq!(wait.finish().unwrap().0, 0);
    bytes.clear();
    std::io::Read::read_to_end(&mut &second.stream, &mut bytes).unwrap();
    assert!(bytes.len() < 1_000_000, "{}", bytes.len());
    assert!(String::from_utf8_lossy(&bytes).contains("was cut off"));
    drop(input);
}

fn memory_that_runs_out_is_told() {
    let mut machine = Machine::new("");
    machine.plan.spec.cgroup.resources.memory = Some(16 << 20);
    machine.plan.spec.cgroup.resources.memory_swap = Some(16 << 20);
    machine.plan.spec.process.arguments =
        ["/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=100000000", "count=1"].map(str::to_owned).to_vec();
    machine.run();
    let state = machine.exited();
    assert_eq!((state.exit_code, state.oom_killed), (137, true));
}

fn supervisor_of(machine: &Machine) -> Pid {
    Pid::from_raw(machine.state().supervisor_pid).unwrap()
}

fn a_killed_supervisor_leaves_a_broken_container() {
    let machine = Machine::new("sleep 1000");
    let running = machine.run();
    let init = Pid::from_raw(running.pid()).unwrap();
    kill_process(supervisor_of(&machine), Signal::KILL).unwrap();
    wait_until(|| test_kill_process(init).is_err().then_some(())).expect("the container outlived its supervisor");
    let broken = wait_until(|| matches!(machine.observe(), Observed::Broken(Some(_))).then_some(()));
    assert!(broken.is_some(), "{:?}", machine.observe());
    // Who mends it can take over.
    machine.run();
    assert!(matches!(machine.observe(), Observed::Supervised(Some(state)) if state.status == Status::Running));
}

fn the_keeper_calls_for_help() {
    let mut machine = Machine::new("sleep 1000");
    machine.plan.restart = Policy::Always;
    machine.run();
    kill_process(supervisor_of(&machine), Signal::KILL).unwrap();
    let called = wait_until(|| machine.called());
    assert_eq!(called.unwrap(), format!("container-restart {}", machine.plan.id));
    // The keeper's own death harms nothing.
    std::fs::remove_file(machine.root.join("called")).unwrap();
    machine.run();
    let status = std::fs::read_to_string(format!("/proc/{}/status", machine.state().supervisor_pid)).unwrap();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().parse().unwrap();
    kill_process(Pid::from_raw(parent).unwrap(), Signal::KILL).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(machine.client().state().unwrap().status, Status::Running);
}

fn a_policy_that_comes_later_brings_a_keeper() {
    let machine = Machine::new("sleep 1000");
    machine.run();
    machine.client().update_restart_policy(Policy::Always).unwrap();
    kill_process(supervisor_of(&machine), Signal::KILL).unwrap();
    let called = wait_until(|| machine.called());
    assert_eq!(called.unwrap(), format!("container-restart {}", machine.plan.id));
    // A second change brings no second one, and the end of the work none to life.
    machine.run();
    let children = || {
        let supervisor = machine.state().supervisor_pid;
        let text = std::fs::read_to_string(format!("/proc/{supervisor}/task/{supervisor}/children")).unwrap();
        text.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<i32>>()
    };
    let init = children();
    for policy in [Policy::Always, Policy::No, Policy::UnlessStopped] {
        machine.client().update_restart_policy(policy).unwrap();
    }
    let keepers: Vec<i32> = children().into_iter().filter(|child| !init.contains(child)).collect();
    assert_eq!(keepers.len(), 1, "{keepers:?}");
    kill_process(supervisor_of(&machine), Signal::TERM).unwrap();
    machine.exited();
    let keeper = Pid::from_raw(keepers[0]).unwrap();
    wait_until(|| test_kill_process(keeper).is_err().then_some(())).expect("the keeper outlived its supervisor");
    assert_eq!(machine.called().unwrap(), format!("container-exited {}", machine.plan.id));
}

fn two_supervisors_are_one_too_many() {
    let mut machine = Machine::new("sleep 1000");
    machine.plan.after_exit = AfterExit::Nothing;
    let client = machine.run().into_client();
    assert_eq!(kind_of(machine.spawn()), Kind::Conflict);
    assert_eq!(client.state().unwrap().status, Status::Running);
    assert_eq!(kind_of(client.duplicate().unwrap().signal(999, SignalMeaning::Message)), Kind::Invalid);
}

/// What whoever enters runs from is the engine's program: it can be executed by a `#!` line, and opened through `/proc/PID/exe`.
fn the_program_is_out_of_reach() {
    let program = std::env::current_exe().unwrap();
    let before = std::fs::read(&program).unwrap();
    // As privileged as can be: it tries to open for writing whatever is on its way into the container. That a program is busy says only that it runs just
    // now, and is a refusal only where the file is a copy in memory.
    let mut machine = Machine::new(
        "echo ready; while :; do for p in /proc/[0-9]*; do command exec 7<$p/exe || continue; l=$(readlink /proc/$$/fd/7); \
         case $l in *busybox) continue;; esac; c=$( (: >> /proc/$$/fd/7) 2>&1 ) && echo opened $l; \
         case $l:$c in /memfd:berth*busy|*Read-only*) [ \"$r\" ] || echo refused; r=1;; *) [ \"$b\" ] || echo \"$l: $c\"; b=1;; esac; done 2>/dev/null; done",
    );
    std::os::unix::fs::symlink("busybox", machine.root.join("system/bin/readlink")).unwrap();
    machine.plan.spec.process.capabilities = u64::MAX;
    machine.plan.spec.init = true;
    let client = machine.run().into_client();
    wait_until(|| machine.log().first().cloned()).unwrap();
    for _ in 0..50 {
        let mut process = process(&["/bin/true"]);
        process.capabilities = u64::MAX;
        client.exec(Exec { id: Id::random().unwrap(), process, attach: Some(ALL) }).unwrap();
    }
    wait_until(|| machine.log().get(1).cloned()).unwrap();
    client.signal(9, SignalMeaning::End).unwrap();
    machine.exited();
    assert_eq!(machine.log(), ["ready\n", "refused\n"]);
    // And a program whose interpreter is itself.
    let machine = Machine::with_arguments(&["/bin/itself"]);
    let script = machine.root.join("system/bin/itself");
    std::fs::write(&script, "#!/proc/self/exe\n").unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    match machine.spawn().unwrap().release(None) {
        // A static program would run, as one that was asked for nothing.
        Ok(_) => drop(machine.exited()),
        Err(error) => assert_eq!(error.kind(), Kind::CommandNotFound, "{error}"),
    }
    assert!(before == std::fs::read(&program).unwrap(), "the program was changed");
}

fn a_failure_of_the_set_up_is_told() {
    for terminal in [false, true] {
        let mut machine = Machine::new("true");
        machine.plan.spec.process.user = "nobody".to_owned();
        machine.plan.spec.process.terminal = terminal;
        let error = machine.spawn().unwrap().release(None).unwrap_err();
        assert_eq!(error.to_string(), "unable to find user nobody: no matching entries in passwd file");
        assert_eq!(machine.exited().error, error.to_string());
    }
}

fn an_init_of_ours_can_be_asked_for() {
    let mut machine = Machine::new("trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done");
    machine.plan.spec.init = true;
    let client = machine.run().into_client();
    wait_until(|| machine.log().first().cloned()).unwrap();
    let name = std::fs::read_to_string(format!("/proc/{}/comm", machine.state().pid)).unwrap();
    assert_eq!(name, "berth-init\n");
    client.stop(Stop::default()).unwrap();
    assert_eq!(machine.exited().exit_code, 5);
}

/// The children of the container's supervisor but its init.
fn helpers_of(machine: &Machine) -> Vec<i32> {
    let state = machine.state();
    let path = format!("/proc/{0}/task/{0}/children", state.supervisor_pid);
    let children = std::fs::read_to_string(path).unwrap();
    children.split_whitespace().map(|pid| pid.parse().unwrap()).filter(|pid| *pid != state.pid).collect()
}

/// In a network namespace of its own, where a listener on 127.0.0.1 is the container's.
fn ports_answer_on_loopback_by_ipv6() {
    #[allow(deprecated, reason = "the safe form; this process has one thread")]
    rustix::thread::unshare(rustix::thread::UnshareFlags::NEWNET).unwrap();
    sys::network::bring_up_loopback().unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_read_timeout(Some(PATIENCE)).unwrap();
    let ask = |protocol, port| PortRequest {
        host_address: None,
        protocol,
        candidates: 0..=0,
        count: 1,
        container_port: port,
    };
    let ports = vec![
        ask(Protocol::Tcp, tcp.local_addr().unwrap().port()),
        ask(Protocol::Udp, udp.local_addr().unwrap().port()),
    ];
    let relay_to = Some(vec![tcp.local_addr().unwrap().ip()]);
    let machine = Machine::new("sleep 1000");
    let starting = machine.spawn().unwrap();
    let served = starting.serve_network(ServedNetwork { ports, relay_to, names: None, rules: None }).unwrap();
    let [tcp_port, udp_port] = [0, 1].map(|number: usize| *served[number].host_ports.start());
    starting.release(None).unwrap();
    assert!(helpers_of(&machine).is_empty());

    let client = UdpSocket::bind("[::1]:0").unwrap();
    client.send_to(b"?", ("::1", udp_port)).unwrap();
    let (_, from) = udp.recv_from(&mut [0]).unwrap();
    udp.send_to(b"!", from).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(client.recv_from(&mut [0]).unwrap().1.port(), udp_port);
    converse(&tcp, tcp_port);
    // It can do nothing else.
    let relay = helpers_of(&machine)[0];
    let status = std::fs::read_to_string(format!("/proc/{relay}/status")).unwrap();
    for line in ["CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"] {
        assert!(status.lines().any(|found| found == line), "{line}: {status}");
    }
    // Whoever comes after its death is served by another.
    kill_process(Pid::from_raw(relay).unwrap(), Signal::KILL).unwrap();
    converse(&tcp, tcp_port);
    assert_ne!(helpers_of(&machine), [relay]);
    // A container that is on no network any more.
    machine.client().serve_network(ServedNetwork { relay_to: Some(Vec::new()), ..ServedNetwork::default() }).unwrap();
    let turned_away = TcpStream::connect(("::1", tcp_port)).and_then(|mut stream| stream.read(&mut [0]));
    assert_eq!(turned_away.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    machine.client().signal(9, SignalMeaning::End).unwrap();
    machine.exited();
    TcpListener::bind(("::", tcp_port)).unwrap();
    UdpSocket::bind(("::", udp_port)).unwrap();
}

/// A client of `port` and `listener` hear each other.
fn converse(listener: &TcpListener, port: u16) {
    let mut client = TcpStream::connect(("::1", port)).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(b"?").unwrap();
    let (mut container, _) = listener.accept().unwrap();
    container.read_exact(&mut [0]).unwrap();
    container.write_all(b"!").unwrap();
    client.read_exact(&mut [0]).unwrap();
}
