//! What the host's packet filter knows of a container goes with its last exit. Each case has a network namespace of its own as its host.

use crate::machine::{Machine, wait_until};
use network::firewall::{EndpointRules, Firewall, NetworkRules, RouterGuard};
use network::port::{Protocol, PublishedPort};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, UdpSocket};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use supervisor::client::{GivenRules, ServedNetwork};
use supervisor::plan::AfterExit;
use supervisor::protocol::{RulesPlan, Stop};
use supervisor::restart::Policy;
use supervisor::state::Status;

const TAG: &str = "0badcafe";
const ADDRESSES: [&str; 2] = ["198.51.100.2", "198.51.100.3"];

/// This process goes into a new network namespace, where the packet filter knows a bridge.
fn enter_host() -> Firewall {
    let mut holder = Command::new("unshare")
        .args(["--net", "sh", "-c", "ip link set lo up && echo && exec cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    holder.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    let namespace = File::open(format!("/proc/{}/ns/net", holder.id())).unwrap();
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
    drop(holder.stdin.take());
    holder.wait().unwrap();
    let firewall = Firewall::new(TAG);
    firewall
        .bring_up(&NetworkRules {
            bridge: "br1".to_owned(),
            subnets: vec!["198.51.100.0/24".parse().unwrap()],
            gateways: vec!["198.51.100.1".parse().unwrap()],
            internal: false,
            masquerade: true,
            inter_container: true,
            router_guard: RouterGuard::default(),
        })
        .unwrap();
    firewall
}

/// The endpoint that is `number` of the container.
fn endpoint(machine: &Machine, number: u16) -> EndpointRules {
    let address: IpAddr = ADDRESSES[usize::from(number)].parse().unwrap();
    let port = 8080 + number;
    EndpointRules {
        owner: machine.plan.id.to_string(),
        interface: format!("veth{number}"),
        addresses: vec![address],
        link_local: None,
        published: vec![PublishedPort {
            host_address: None,
            protocol: Protocol::Udp,
            host_ports: port..=port,
            container_port: 53,
        }],
    }
}

/// The names of interfaces that the packet filter takes for the container's.
fn known(machine: &Machine) -> Vec<String> {
    let output =
        Command::new("nft").args(["list", "set", "bridge", &format!("berth-{TAG}"), "ports"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    let listed = (0..2).map(|number| format!("veth{number}")).filter(|name| text.contains(&format!("\"{name}\"")));
    let listed: Vec<_> = listed.collect();
    assert_eq!(listed.is_empty(), !text.contains(machine.plan.id.as_str()), "{text}");
    listed
}

fn tracked() -> u32 {
    std::fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_count").unwrap().trim().parse().unwrap()
}

/// The kernel tracks a flow from `address`, which is the host's own from now on: with an address, the kernel itself forgets flows.
fn send_from(address: &str) {
    let added = Command::new("ip").args(["address", "add", &format!("{address}/32"), "dev", "lo"]).status();
    assert!(added.unwrap().success());
    let socket = UdpSocket::bind((address, 0)).unwrap();
    socket.send_to(b"x", (address, 9)).unwrap();
}

pub fn are_withdrawn_at_the_last_exit() {
    let firewall = enter_host();
    let mut machine = Machine::new("sleep 1000");
    machine.plan.restart = Policy::Always;
    machine.plan.after_exit = AfterExit::Nothing;
    let endpoints = [endpoint(&machine, 0), endpoint(&machine, 1)];
    let starting = machine.spawn().unwrap();
    firewall.attach(&endpoints[0]).unwrap();
    let plan = RulesPlan { tag: TAG.to_owned(), endpoints: endpoints[..1].to_vec() };
    let client = starting.release(Some(GivenRules { plan, socket: firewall.into_socket() })).unwrap().into_client();
    // What is told later takes the place of what was told first.
    Firewall::new(TAG).attach(&endpoints[1]).unwrap();
    let rules = Some(RulesPlan { tag: TAG.to_owned(), endpoints: endpoints.to_vec() });
    client.serve_network(ServedNetwork { rules, ..ServedNetwork::default() }).unwrap();
    // What is told of something else changes nothing.
    client.serve_network(ServedNetwork::default()).unwrap();
    // A restart keeps them.
    client.signal(9, supervisor::protocol::SignalMeaning::Message).unwrap();
    let again = || (machine.state().restart_count == 1 && machine.state().status == Status::Running).then_some(());
    wait_until(again).unwrap();
    assert_eq!(known(&machine), ["veth0", "veth1"]);
    assert!(!machine.state().rules_withdrawn);
    ADDRESSES.iter().for_each(|address| send_from(address));
    assert_eq!(tracked(), 2);
    client.stop(Stop::default()).unwrap();
    // When it is told, it is so.
    assert!(machine.exited().rules_withdrawn);
    assert_eq!(known(&machine), Vec::<String>::new());
    wait_until(|| (tracked() == 0).then_some(())).unwrap();
}

pub fn left_to_the_engine() {
    let firewall = enter_host();
    // Nobody told.
    let machine = Machine::new("exit 3");
    let rules = endpoint(&machine, 0);
    firewall.attach(&rules).unwrap();
    machine.run();
    assert!(!machine.exited().rules_withdrawn);
    assert_eq!(known(&machine), ["veth0"]);
    firewall.detach(&rules).unwrap();
    // What came along speaks another language.
    let machine = Machine::new("exit 3");
    let rules = endpoint(&machine, 0);
    firewall.attach(&rules).unwrap();
    let plan = RulesPlan { tag: TAG.to_owned(), endpoints: vec![rules] };
    let other = File::open("/dev/null").unwrap();
    machine.spawn().unwrap().release(Some(GivenRules { plan, socket: Some(other.into()) })).unwrap();
    let state = machine.exited();
    assert_eq!((state.exit_code, state.rules_withdrawn), (3, false));
    assert_eq!(known(&machine), ["veth0"]);
}
