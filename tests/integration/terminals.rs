//! The user's terminal: its size, its keys, its signals.

use std::process::Command;

use crate::harness::{Background, Host, IMAGE};
use crate::registry::server::{Body, reply};
use crate::registry::{LAYER, Registry};

/// Reads the name of the terminal on which a command has been started.
fn terminal_of(running: &mut Background) -> String {
    running.read_until("\n").trim().to_owned()
}

fn resize(terminal: &str, rows: u16, columns: u16) {
    let (rows, columns) = (rows.to_string(), columns.to_string());
    let status = Command::new("stty").args(["-F", terminal, "rows", &rows, "cols", &columns]).status().unwrap();
    assert!(status.success());
}

#[test]
fn the_size_follows() {
    let host = Host::with_image();
    let script = "trap 'stty size; exit 3' WINCH; stty size; while :; do sleep 0.05; done";
    let mut running = host.spawn_on_terminal(["run", "--rm", "-it", IMAGE, "sh", "-c", script]);
    let terminal = terminal_of(&mut running);
    running.read_until("20 60");
    resize(&terminal, 33, 77);
    running.read_until("33 77");
    running.finish().code(3);
}

#[test]
fn an_exec_has_a_terminal_of_its_own() {
    let host = Host::with_image();
    host.berth(["run", "-d", "--name", "box", IMAGE, "sleep", "1000"]).ok();
    let script = "trap 'stty size; exit 4' WINCH; stty size; while :; do sleep 0.05; done";
    let mut running = host.spawn_on_terminal(["exec", "-it", "box", "sh", "-c", script]);
    let terminal = terminal_of(&mut running);
    running.read_until("20 60");
    resize(&terminal, 44, 88);
    running.read_until("44 88");
    running.finish().code(4);
}

#[test]
fn keys_detach_and_attach_comes_back() {
    let host = Host::with_image();
    let mut running = host.spawn_on_terminal(["run", "-it", "--name", "box", IMAGE, "sh"]);
    running.read_until("#");
    running.write(b"echo in-$((1+1))\n");
    running.read_until("in-2");
    running.write(&[0x10, 0x11]);
    running.read_until("read escape sequence");
    running.finish().code(0);
    assert_eq!(host.inspect("box", "{{.State.Status}}"), "running");
    let mut back = host.spawn_on_terminal(["attach", "--detach-keys", "x,y", "box"]);
    back.read_until("#");
    back.write(b"xecho x-$((2+2))\n");
    back.read_until("not found");
    back.write(b"xy");
    back.read_until("read escape sequence");
    back.finish().code(0);
    let mut last = host.spawn_on_terminal(["attach", "box"]);
    last.write(b"\nexit 6\n");
    last.finish().code(6);
}

#[test]
fn the_clients_configuration_names_the_keys() {
    let host = Host::with_image();
    host.file("client/config.json", r#"{"detachKeys":"ctrl-a,d"}"#);
    let mut running = host.spawn_on_terminal(["run", "-it", "--name", "box", IMAGE, "sh"]);
    running.read_until("#");
    running.write(b"\x01d");
    running.finish().code(0);
    assert_eq!(host.inspect("box", "{{.State.Status}}"), "running");
    // The flag wins.
    let flagged = ["run", "-it", "--name", "flagged", "--detach-keys", "ctrl-b,e", IMAGE, "sh"];
    let mut running = host.spawn_on_terminal(flagged);
    running.read_until("#");
    running.write(b"\x02e");
    running.finish().code(0);
    assert_eq!(host.inspect("flagged", "{{.State.Status}}"), "running");
    host.berth(["run", "--detach-keys", "ctrl-", IMAGE, "true"]).code(125).says("invalid detach keys");
}

#[test]
fn interrupting_keys_reach_the_process() {
    let host = Host::with_image();
    let script = "trap 'echo caught; exit 7' INT; echo ready; while :; do sleep 0.05; done";
    let mut running = host.spawn_on_terminal(["run", "--rm", "-it", IMAGE, "sh", "-c", script]);
    running.read_until("ready");
    running.write(&[3]);
    running.read_until("caught");
    running.finish().code(7);
}

#[test]
fn the_terminal_is_given_back_as_it_was() {
    let host = Host::with_image();
    let berth = host.command();
    let words: Vec<String> = std::iter::once(berth.get_program())
        .chain(berth.get_args())
        .map(|word| word.to_str().unwrap().to_owned())
        .collect();
    let script = format!(
        "stty -a > before; {} run --rm -it {IMAGE} true; {} run --rm -it {IMAGE} nothing; stty -a > after",
        words.join(" "),
        words.join(" ")
    );
    let mut command = Command::new("script");
    command.args(["-qec", &script, "/dev/null"]).current_dir(host.path("")).env("SHELL", "/bin/sh");
    crate::harness::finish(command, b"");
    let read = |name: &str| std::fs::read_to_string(host.path(name)).unwrap();
    assert_eq!(read("after"), read("before"));
}

/// What stands on a terminal after this output, a line for each row. Text that is longer than a row is not broken.
fn screen(output: &str) -> Vec<String> {
    let mut rows = vec![String::new()];
    let (mut row, mut rest) = (0, output);
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        match first {
            '\n' => row += 1,
            '\r' => {}
            '\x1b' => {
                let end = rest.find(|end: char| end.is_ascii_alphabetic()).unwrap();
                let (number, command) = (rest[1..end].parse::<usize>(), &rest[end..=end]);
                rest = &rest[end + 1..];
                match command {
                    "A" => row -= number.unwrap(),
                    "B" => row += number.unwrap(),
                    "K" => rows[row].clear(),
                    other => panic!("unexpected: {other:?}"),
                }
            }
            other => rows[row].push(other),
        }
        rows.resize(rows.len().max(row + 1), String::new());
    }
    rows
}

#[test]
fn a_pull_has_a_line_that_changes_for_each_layer() {
    let (host, registry) = (Host::new(), Registry::start());
    let name = registry.name("1");
    let mut pull = host.spawn_on_terminal(["pull", &name]);
    terminal_of(&mut pull);
    let shown = screen(&pull.finish().ok().stdout);
    let plain = Host::new().berth(["pull", &name]).ok();
    assert!(!plain.stdout.contains(['\x1b', '\r']) && plain.stderr.is_empty(), "{plain:?}");
    // The same as elsewhere, but of each layer only the end, where it began.
    let mut expected = Vec::new();
    for line in plain.lines() {
        match line.split_once(": ") {
            Some((layer, "Pulling fs layer")) => expected.push(format!("{layer}: Pull complete")),
            Some((layer, _)) if expected.contains(&format!("{layer}: Pull complete")) => {}
            _ => expected.push(line),
        }
    }
    expected.push(String::new());
    assert_eq!(shown, expected);
}

#[test]
fn a_bar_shows_how_far_a_layer_is() {
    let host = Host::new();
    let registry = Registry::with(|seen, contents| {
        let (media_type, bytes) = contents.things.get(seen.path().rsplit('/').next()?)?;
        let is_base = media_type.starts_with(LAYER) && bytes.len() > 500_000;
        is_base.then(|| reply(200).body(Body::Stuck(bytes.clone(), 400_000)))
    });
    let mut pull = host.spawn_on_terminal(["pull", &registry.name("1")]);
    let layer = registry.base_layer();
    let layer = &layer["sha256:".len()..][..12];
    let output = pull.read_until(&format!("{layer}: Downloading [")) + &pull.read_until("\r");
    let bar = output.trim_end().rsplit("\x1b[2K").next().unwrap();
    let (done, numbers) = bar.split_once('>').unwrap();
    assert!(done.starts_with(&format!("{layer}: Downloading [=")) && bar.len() < 60, "{bar:?}");
    assert!(numbers.contains(" ] ") && numbers.contains("kB/") && numbers.ends_with("MB"), "{bar:?}");
}
