//! Standard streams: attach, terminals, half-closed input, logs.

use crate::harness::{Host, IMAGE, eventually};

#[test]
fn output_and_errors_stay_apart() {
    let host = Host::with_image();
    let finished = host.berth(["run", "--rm", IMAGE, "sh", "-c", "echo out; echo err >&2"]).ok();
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("out\n", "err\n"));
}

#[test]
fn piped_input_ends_where_the_pipe_ends() {
    let host = Host::with_image();
    let input = "line\n".repeat(100_000);
    let finished =
        host.berth_with_input(["run", "--rm", "-i", IMAGE, "sh", "-c", "cat; echo end"], input.as_bytes()).ok();
    assert_eq!(finished.stdout.len(), input.len() + 4);
    assert!(finished.stdout.ends_with("end\n"));
    // Without -i there is no input at all.
    assert_eq!(host.berth_with_input(["run", "--rm", IMAGE, "cat"], b"ignored").ok().stdout, "");
}

#[test]
fn large_output_arrives_whole() {
    let host = Host::with_image();
    let finished =
        host.berth(["run", "--rm", IMAGE, "sh", "-c", "yes 0123456789 | head -n 500000; echo last >&2"]).ok();
    assert_eq!((finished.stdout.len(), finished.stderr.as_str()), (5_500_000, "last\n"));
}

#[test]
fn a_background_child_does_not_hold_the_end() {
    let host = Host::with_image();
    assert_eq!(host.berth(["run", "--rm", IMAGE, "sh", "-c", "sleep 1000 & echo done"]).ok().out(), "done");
}

#[test]
fn a_terminal_is_real() {
    let host = Host::with_image();
    let finished = host.berth([
        "run",
        "--rm",
        "-t",
        IMAGE,
        "sh",
        "-c",
        "tty; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo yes; ls -l /dev/console | cut -c1",
    ]);
    assert_eq!(finished.ok().stdout, "/dev/pts/0\r\nyes\r\nc\r\n");
    host.berth_with_input(["run", "--rm", "-it", IMAGE, "true"], b"").code(1).says("the input device is not a TTY");
}

#[test]
fn only_the_streams_that_are_asked_for_are_attached() {
    let host = Host::with_image();
    let script = "echo out; echo err >&2; cat";
    for (flags, stdout, stderr) in [
        (&["-a", "stdout"][..], "out\n", ""),
        (&["-a", "stderr"], "", "err\n"),
        (&["-a", "STDOUT", "-a", "stderr"], "out\n", "err\n"),
        (&["-i", "-a", "stdin", "-a", "stdout"], "out\nin", ""),
    ] {
        let arguments = [&["run", "--rm"], flags, &[IMAGE, "sh", "-c", script]].concat();
        let finished = host.berth_with_input(arguments, b"in").ok();
        assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), (stdout, stderr), "{flags:?}");
    }
    host.berth(["run", "-a", "nothing", IMAGE, "true"]).code(125).says("valid streams are STDIN, STDOUT and STDERR");
    host.berth(["run", "-d", "-a", "stdout", IMAGE, "true"])
        .code(125)
        .says("cannot specify both --attach and --detach");
}

#[test]
fn attach_gets_what_comes_from_now_on() {
    let host = Host::with_image();
    let script = "while read line && [ $line != end ]; do echo got $line; done; echo closed";
    host.berth(["run", "-d", "-i", "--name", "c1", IMAGE, "sh", "-c", script]).ok();
    let mut attached = host.spawn(["attach", "c1"]);
    attached.write(b"one\n");
    attached.read_until("got one");
    // Of a detached container the input stays open whoever leaves it: another client may come.
    attached.write(b"end\n");
    let finished = attached.finish();
    assert!(finished.stdout.contains("closed"), "{finished:?}");
    assert_eq!(host.berth(["logs", "c1"]).ok().stdout, "got one\nclosed\n");
    host.berth(["attach", "c1"]).code(1).says("stopped container");
}

#[test]
fn a_second_client_that_does_not_read_is_cut_off_and_stops_nobody() {
    let host = Host::with_image();
    let script =
        "while :; do echo tick; sleep 0.05; done & read line; kill $!; yes 0123456789 | head -n 500000; echo end";
    let mut first = host.spawn(["run", "-i", "--name", "c1", IMAGE, "sh", "-c", script]);
    first.read_until("tick");
    let mut second = host.spawn(["attach", "--no-stdin", "c1"]);
    second.read_until("tick");
    first.write(b"go\n");
    // The first, in the foreground, gets everything although the second reads nothing any more.
    let finished = first.finish().ok();
    assert!(finished.stdout.len() > 5_500_000 && finished.stdout.ends_with("end\n"), "{}", finished.stdout.len());
    host.wait_for("c1", "{{.State.Status}}", "exited");
    let finished = second.finish().ok().says("this client read too slowly and was cut off");
    assert!(finished.stdout.len() < 5_000_000 && !finished.stdout.contains("end"), "{}", finished.stdout.len());
}

#[test]
fn start_attached_gives_output_and_code() {
    let host = Host::with_image();
    host.berth(["create", "--name", "c1", IMAGE, "sh", "-c", "echo hi; exit 4"]).ok();
    let finished = host.berth(["start", "-a", "c1"]).code(4);
    assert_eq!(finished.stdout, "hi\n");
}

#[test]
fn signals_are_passed_on() {
    let host = Host::with_image();
    let mut running = host.spawn([
        "run",
        "--rm",
        "--name",
        "c1",
        IMAGE,
        "sh",
        "-c",
        "trap 'echo caught; exit 11' TERM; echo ready; while :; do sleep 0.05; done",
    ]);
    running.read_until("ready");
    running.signal("TERM");
    running.read_until("caught");
    running.finish().code(11);
    // Or they end the client alone.
    let script = "trap 'exit 11' TERM; echo ready; while :; do sleep 0.05; done";
    let mut running = host.spawn(["run", "--sig-proxy=false", "--name", "d1", IMAGE, "sh", "-c", script]);
    running.read_until("ready");
    running.signal("TERM");
    running.finish().code(-15);
    host.berth(["exec", "d1", "true"]).ok();
    host.berth(["kill", "-s", "TERM", "d1"]).ok();
    assert_eq!(host.berth(["wait", "d1"]).ok().out(), "11");
}

#[test]
fn a_killed_client_leaves_the_container() {
    let host = Host::with_image();
    let mut running = host.spawn(["run", "--name", "c1", IMAGE, "sh", "-c", "echo ready; sleep 1000"]);
    running.read_until("ready");
    running.signal("KILL");
    drop(running);
    assert_eq!(host.inspect("c1", "{{.State.Status}}"), "running");
    assert_eq!(host.berth(["exec", "c1", "echo", "alive"]).ok().out(), "alive");
}

#[test]
fn logs_select() {
    let host = Host::with_image();
    host.berth(["run", "--name", "c1", IMAGE, "sh", "-c", "echo one; sleep 0.1; echo two >&2; sleep 0.1; echo three"])
        .ok();
    let finished = host.berth(["logs", "c1"]).ok();
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("one\nthree\n", "two\n"));
    assert_eq!(host.berth(["logs", "--tail", "1", "c1"]).ok().stdout, "three\n");
    assert_eq!(host.berth(["logs", "-n", "0", "c1"]).ok().stdout, "");
    let stamped = host.berth(["logs", "-t", "c1"]).ok().stdout;
    assert!(
        stamped.lines().all(|line| line.len() > 31 && line.as_bytes()[10] == b'T' && line.contains("Z ")),
        "{stamped}"
    );
    assert_eq!(
        host.berth(["logs", "--since", "10m", "--until", "2099-01-01T00:00:00Z", "c1"]).ok().stdout,
        "one\nthree\n"
    );
    assert_eq!(host.berth(["logs", "--until", "10m", "c1"]).ok().stdout, "");
    let times: Vec<&str> = stamped.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(host.berth(["logs", "--since", times[1], "c1"]).ok().stdout, "three\n");
    assert_eq!(host.berth(["logs", "--until", times[0], "c1"]).ok().stdout, "one\n");
    assert_eq!(host.berth(["logs", "--since", "2099-01-01T00:00:00Z", "c1"]).ok().stdout, "");
    host.berth(["logs", "nobody"]).code(1).says("No such container: nobody");
    host.berth(["logs", "--tail", "x", "c1"]).code(1);
}

#[test]
fn logs_follow_a_running_container_to_its_end() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--name", "c1", IMAGE, "sh", "-c", "for i in 1 2 3 4 5; do echo $i; sleep 0.1; done"])
        .ok();
    assert_eq!(host.berth(["logs", "-f", "c1"]).ok().stdout, "1\n2\n3\n4\n5\n");
}

#[test]
fn logs_rotate_and_are_read_and_followed_through_it() {
    let host = Host::with_image();
    let script = "echo ready; until [ -e /go ]; do sleep 0.01; done; i=0; while [ $i -lt 4000 ]; do echo line $i; i=$((i+1)); done; echo last";
    for (name, files) in [("few", "max-file=3"), ("many", "max-file=30")] {
        let flags = ["run", "-d", "--name", name, "--log-opt", "max-size=50k", "--log-opt", files];
        host.berth(flags.iter().chain(&[IMAGE, "sh", "-c", script])).ok();
        let mut follower = host.spawn(["logs", "-f", name]);
        let begin = follower.read_until("ready\n");
        host.berth(["exec", name, "touch", "/go"]).ok();
        let followed = begin + &follower.finish().ok().stdout;
        let kept = host.berth(["logs", name]).ok().lines();
        let number = |line: &str| line.strip_prefix("line ").and_then(|number| number.parse::<usize>().ok());
        let numbers: Vec<usize> = kept.iter().filter_map(|line| number(line)).collect();
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "no gap in what is kept");
        assert_eq!(kept.last().unwrap(), "last");
        if name == "few" {
            assert!(followed.ends_with("last\n") && numbers.len() < 3000, "{}", numbers.len());
        } else {
            assert_eq!(numbers.len(), 4000);
            assert!(followed.lines().eq(kept.iter().map(String::as_str)), "the follower missed something");
        }
    }
}

#[test]
fn log_drivers() {
    let host = Host::with_image();
    host.berth(["run", "--name", "silent", "--log-driver", "none", IMAGE, "echo", "x"]).ok();
    host.berth(["logs", "silent"]).code(1).says("configured logging driver does not support reading");
    host.berth(["run", "--name", "local", "--log-driver", "local", IMAGE, "echo", "x"]).ok();
    assert_eq!(host.berth(["logs", "local"]).ok().stdout, "x\n");
    host.berth(["run", "--name", "details", "-l", "a=b", "--log-opt", "labels=a", IMAGE, "echo", "x"]).ok();
    assert_eq!(host.berth(["logs", "--details", "details"]).ok().stdout, "a=b x\n");
    host.berth(["run", "--rm", "--log-driver", "nonsense", IMAGE, "true"]).code(125).says("nonsense");
    host.berth(["run", "--rm", "--log-opt", "nonsense=1", IMAGE, "true"]).code(125).says("nonsense");
}

#[test]
fn a_reader_of_logs_that_does_not_read_stops_nobody() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--name", "c1", IMAGE, "sh", "-c", "yes | head -c 3000000; touch /tmp/done; sleep 1000"])
        .ok();
    let _reader = host.spawn(["logs", "-f", "c1"]);
    assert!(eventually(|| host.berth(["exec", "c1", "test", "-e", "/tmp/done"]).code == 0));
}

#[test]
fn a_client_in_the_foreground_is_waited_for_and_nobody_waits_when_it_has_gone() {
    let host = Host::with_image();
    host.berth([
        "run",
        "-d",
        "-i",
        "--name",
        "c1",
        IMAGE,
        "sh",
        "-c",
        "read go; yes | head -c 3000000; touch /tmp/done; sleep 1000",
    ])
    .ok();
    let mut stuck = host.spawn(["attach", "c1"]);
    stuck.write(b"go\n");
    stuck.read_until("y");
    std::thread::sleep(std::time::Duration::from_millis(500));
    host.berth(["exec", "c1", "test", "-e", "/tmp/done"]).code(1);
    drop(stuck);
    assert!(eventually(|| host.berth(["exec", "c1", "test", "-e", "/tmp/done"]).code == 0));
}
