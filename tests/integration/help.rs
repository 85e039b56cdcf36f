//! What the command line says about itself, word by word.

use crate::harness::Host;

#[test]
fn help_is_what_it_was() {
    let host = Host::new();
    for (words, golden) in [
        (&["--help"][..], include_str!("../golden/help.txt")),
        (&["run", "--help"], include_str!("../golden/help-run.txt")),
        (&["ps", "--help"], include_str!("../golden/help-ps.txt")),
        (&["container", "--help"], include_str!("../golden/help-container.txt")),
        (&["network", "--help"], include_str!("../golden/help-network.txt")),
        (&["network", "create", "--help"], include_str!("../golden/help-network-create.txt")),
    ] {
        assert_eq!(host.berth(words).ok().stdout, golden, "{words:?}");
    }
}

#[test]
fn every_command_has_help() {
    let host = Host::new();
    let commands_of = |path: &[&str]| -> Vec<String> {
        let help = host.berth(path.iter().chain(&["--help"])).ok().stdout;
        let entries = help.split("Options:").next().unwrap().lines().filter_map(|line| line.strip_prefix("  "));
        entries
            .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()))
            .map(|line| line.split(' ').next().unwrap().to_owned())
            .collect()
    };
    let mut seen = 0;
    for command in commands_of(&[]) {
        let help = host.berth([&command, "--help"]).ok().stdout;
        assert!(help.starts_with(&format!("Usage:  berth {command}")), "{help}");
        assert_eq!(host.berth(["help", &command]).ok().stdout, help);
        seen += 1;
        if !help.contains("\nCommands:\n") {
            continue;
        }
        for verb in commands_of(&[&command]) {
            let help = host.berth([&command, &verb, "--help"]).ok().stdout;
            assert!(help.starts_with(&format!("Usage:  berth {command} {verb}")), "{help}");
            assert_eq!(host.berth(["help", &command, &verb]).ok().stdout, help);
            seen += 1;
        }
    }
    assert!(seen > 60, "{seen}");
}

#[test]
fn mistakes_are_answered_with_what_is_near() {
    let host = Host::new();
    host.berth(["rnu"]).code(1).says("unknown command: berth rnu").says("Did you mean 'berth run'?");
    host.berth(["container", "inspec"]).code(1).says("Did you mean 'berth container inspect'?");
    host.berth(["ps", "--al"])
        .code(125)
        .says("unknown flag: --al")
        .says("Usage:  berth ps [OPTIONS]")
        .says("Run 'berth ps --help'");
    host.berth(["rename", "one"]).code(1).says("requires 2 arguments");
    host.berth(["run"]).code(1).says("requires at least 1 argument");
    host.berth(["update", "--blkio-weight", "100", "box"]).code(125).says("not supported: --blkio-weight");
    host.berth(["update", "box"]).code(125).says("one or more flags");
}
