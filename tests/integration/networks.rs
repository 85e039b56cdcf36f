//! Networks as users see them: the life of a network, who is on it, and what `inspect`, `ps` and `port` show.

use std::process::Command;

use crate::harness::{Finished, Host, IMAGE, eventually, finish};

/// Runs `words` of one line.
fn line(host: &Host, words: &str) -> Finished {
    host.berth(words.split(' '))
}

/// Starts a container that sleeps.
fn sleeper(host: &Host, name: &str, flags: &str) {
    line(host, &format!("run -d --name {name} {flags} {IMAGE} sleep 1000").replace("  ", " ")).ok();
}

fn networks(host: &Host) -> String {
    host.berth(["network", "ls", "--format", "{{.Name}}"]).ok().lines().join(" ")
}

fn inspect_network(host: &Host, name: &str, template: &str) -> String {
    host.berth(["network", "inspect", "--format", template, name]).ok().out()
}

/// The interfaces of this test's own network namespace whose names begin with `start`.
fn interfaces(start: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc/thread-self/net/dev_snmp6").unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(start)).collect()
}

#[test]
fn a_network_is_made_listed_inspected_and_removed() {
    let host = Host::new();
    let id = line(&host, "network create --label tier=front --label x front").ok().out();
    assert!(id.len() == 64 && interfaces("br-") == [format!("br-{}", &id[..12])], "{id}");
    assert_eq!(networks(&host), "bridge front host none");
    let table = line(&host, "network ls").ok().stdout;
    let first: Vec<&str> = table.lines().next().unwrap().split("  ").filter(|word| !word.is_empty()).collect();
    assert_eq!(first.iter().map(|word| word.trim()).collect::<Vec<_>>(), ["NETWORK ID", "NAME", "DRIVER", "SCOPE"]);
    let row: Vec<&str> = table.lines().find(|row| row.contains("front")).unwrap().split_whitespace().collect();
    assert_eq!(row, [&id[..12], "front", "bridge", "local"]);
    for (filter, expected) in [
        ("name=fro", "front"),
        ("name=^host$", "host"),
        (&format!("id={}", &id[..8]), "front"),
        ("driver=null", "none"),
        ("type=custom", "front"),
        ("type=builtin", "bridge host none"),
        ("scope=local", "bridge front host none"),
        ("scope=swarm", ""),
        ("label=tier", "front"),
        ("label=tier=back", ""),
        ("dangling=true", "front"),
        ("dangling=false", "bridge host none"),
    ] {
        let shown = host.berth(["network", "list", "--filter", filter, "--format", "{{.Name}}"]).ok().lines();
        assert_eq!(shown.join(" "), expected, "{filter}");
    }
    line(&host, "network ls --filter colour=red").code(1).says("invalid filter 'colour'");
    assert_eq!(line(&host, "network ls -q --filter name=front").ok().out(), id[..12]);
    assert_eq!(line(&host, "network ls -q --no-trunc --filter name=front").ok().out(), id);
    let shown = inspect_network(&host, &id[..10], "{{.Name}} {{.Id}} {{.Driver}} {{.Scope}} {{json .Labels}}");
    assert_eq!(shown, format!("front {id} bridge local {{\"tier\":\"front\",\"x\":\"\"}}"));
    assert_eq!(inspect_network(&host, "front", "{{.Internal}} {{.EnableIPv4}} {{.EnableIPv6}}"), "false true true");
    assert_eq!(host.berth(["inspect", "--format", "{{.Id}}", "front"]).ok().out(), id);
    assert_eq!(line(&host, "inspect --type network --format {{.Name}} front").ok().out(), "front");
    let both = line(&host, "network inspect front nothing").code(1).says("network nothing not found");
    assert!(both.stdout.contains(&id), "{both:?}");
    line(&host, "network create front").code(1).says("network with name front already exists");
    let removed = line(&host, "network rm nothing front").code(1).says("network nothing not found");
    assert_eq!(removed.out(), "front");
    assert!(interfaces("br-").is_empty());
    assert_eq!(line(&host, "network remove -f front").ok().stdout, "");
    let id = line(&host, "network create front").ok().out();
    assert_eq!(line(&host, &format!("network rm {}", &id[..12])).ok().out(), id[..12]);
    assert_eq!(networks(&host), "bridge host none");
}

#[test]
fn a_network_has_the_addresses_that_were_asked_for() {
    let host = Host::with_image();
    let create = "network create --subnet 10.9.0.0/24 --ip-range 10.9.0.128/30 --gateway 10.9.0.129 --aux-address router=10.9.0.128 \
        --subnet fd00:9::/64 --gateway fd00:9::1 --ipv6 -o com.docker.network.bridge.name=shop0 --opt com.docker.network.driver.mtu=1400 shop";
    line(&host, create).ok();
    let config = inspect_network(&host, "shop", "{{json .IPAM.Config}}");
    let expected = r#"[{"AuxiliaryAddresses":{"router":"10.9.0.128"},"Gateway":"10.9.0.129","IPRange":"10.9.0.128/30","Subnet":"10.9.0.0/24"},{"Gateway":"fd00:9::1","Subnet":"fd00:9::/64"}]"#;
    assert_eq!(config, expected);
    assert_eq!(interfaces("shop"), ["shop0"]);
    let first = line(&host, &format!("run --rm --network shop {IMAGE} ip address show eth0")).ok().stdout;
    assert!(first.contains("inet 10.9.0.130/24") && first.contains("mtu 1400"), "{first}");
    sleeper(&host, "one", "--network shop");
    sleeper(&host, "two", "--network shop");
    let taken = |name: &str| host.inspect(name, "{{.NetworkSettings.Networks.shop.IPAddress}}");
    assert_eq!([taken("one"), taken("two")], ["10.9.0.131", "10.9.0.130"]);
    line(&host, &format!("run --rm --network shop {IMAGE} true"))
        .code(125)
        .says("no available addresses in 10.9.0.128/30");
    line(&host, &format!("run --rm --network shop --ip 10.9.0.131 {IMAGE} true")).code(125).says("already in use");
    line(&host, &format!("run --rm --network shop --ip 10.9.0.129 {IMAGE} true")).code(125).says("already in use");
    line(&host, &format!("run --rm --network shop --ip 10.8.0.1 {IMAGE} true")).code(125).says("10.8.0.1");
    line(&host, "rm -f one two").ok();
    line(&host, "network create --internal --ipv6=false inside").ok();
    assert_eq!(inspect_network(&host, "inside", "{{.Internal}} {{.EnableIPv6}} {{len .IPAM.Config}}"), "true false 1");
    sleeper(&host, "three", "--network inside");
    assert_eq!(host.inspect("three", "{{.NetworkSettings.Networks.inside.Gateway}}"), "");
    assert!(!line(&host, "exec three ip route").ok().stdout.contains("default"));
}

#[test]
fn what_cannot_be_a_network_is_said_and_leaves_nothing() {
    let host = Host::new();
    line(&host, "network create --subnet 10.9.0.0/24 front").ok();
    for (flags, words) in [
        ("--subnet 10.9.0.128/25 x", "Pool overlaps with other one on this address space"),
        ("--subnet 10.0.0.0/8 x", "10.9.0.0/24 of network front"),
        ("--subnet 10.8.0.0/31 x", "invalid subnet 10.8.0.0/31"),
        ("--subnet 10.8.0.1/24 x", "it should be 10.8.0.0/24"),
        ("--subnet 127.0.0.0/8 x", "no network can have these addresses"),
        ("--subnet fd00::/127 x", "invalid subnet fd00::/127"),
        ("--subnet nonsense x", "invalid subnet nonsense"),
        ("--subnet 10.8.0.0/24 --gateway 10.7.0.1 x", "no matching subnet for gateway 10.7.0.1"),
        ("--subnet 10.8.0.0/24 --gateway 10.8.0.0 x", "invalid gateway 10.8.0.0"),
        ("--subnet 10.8.0.0/24 --gateway 10.8.0.255 x", "invalid gateway 10.8.0.255"),
        ("--subnet 10.8.0.0/24 --ip-range 10.7.0.0/25 x", "no matching subnet for range 10.7.0.0/25"),
        ("--subnet 10.8.0.0/24 --aux-address a=10.7.0.1 x", "no matching subnet for aux-address 10.7.0.1"),
        ("--gateway 10.8.0.1 x", "every ip-range or gateway must have a corresponding subnet"),
        ("--subnet 10.8.0.0/24 --subnet 10.8.0.0/25 x", "multiple overlapping subnet configuration"),
        ("--subnet 10.8.0.0/24 --subnet 10.7.0.0/24 x", "several subnets of one family"),
        ("-d overlay x", "could not find plugin overlay"),
        ("-d ipvlan x", "ipvlan"),
        ("-d macvlan x", "parent"),
        ("-d host x", "only one instance of \"host\" network is allowed"),
        ("-o colour=red x", "not supported: -o colour"),
        ("-o com.docker.network.driver.mtu=many x", "com.docker.network.driver.mtu"),
        ("-o com.docker.network.bridge.name=a/b x", "name of an interface"),
        ("--ipv4=false x", "IPv4"),
        ("a/b", "invalid network name"),
        ("-- -x", "invalid network name"),
        ("bridge", "operation is not permitted on predefined bridge network"),
        ("host", "operation is not permitted on predefined host network"),
    ] {
        line(&host, &format!("network create {flags}")).code(1).says(words);
    }
    host.berth(["network", "create", "a b"]).code(1).says("invalid network name");
    host.berth(["network", "create", ""]).code(1).says("invalid network name");
    for flag in ["config-only", "config-from=x", "ingress", "ipam-driver=x", "ipam-opt=a=b", "scope=swarm"] {
        let name = flag.split('=').next().unwrap();
        line(&host, &format!("network create --{flag} x")).code(125).says(&format!("not supported: --{name}"));
    }
    line(&host, "network create --subnet").code(125).says("flag needs an argument: --subnet");
    line(&host, "network create").code(1).says("requires 1 argument");
    assert_eq!(networks(&host), "bridge front host none");
    assert_eq!(interfaces("br-").len(), 1);
    for name in ["bridge", "host", "none"] {
        let words = format!("{name} is a pre-defined network and cannot be removed");
        line(&host, &format!("network rm {name}")).code(1).says(&words);
    }
}

#[test]
fn a_container_has_the_addresses_and_names_that_inspect_shows() {
    let host = Host::with_image();
    let id = line(&host, "network create --subnet 10.9.0.0/24 --subnet fd00:9::/64 front").ok().out();
    let flags = "--network front --ip 10.9.0.77 --ip6 fd00:9::77 --mac-address 02:42:0a:09:00:99 --network-alias www --net-alias web2";
    sleeper(&host, "web", flags);
    let shown = line(&host, "exec web ip address show eth0").ok().stdout;
    for own in ["inet 10.9.0.77/24", "inet6 fd00:9::77/64", "link/ether 02:42:0a:09:00:99"] {
        assert!(shown.contains(own), "{own}: {shown}");
    }
    let own = |member: &str| host.inspect("web", &format!("{{{{.NetworkSettings.Networks.front.{member}}}}}"));
    for (member, expected) in [
        ("IPAddress", "10.9.0.77"),
        ("IPPrefixLen", "24"),
        ("Gateway", "10.9.0.1"),
        ("GlobalIPv6Address", "fd00:9::77"),
        ("GlobalIPv6PrefixLen", "64"),
        ("IPv6Gateway", "fd00:9::1"),
        ("MacAddress", "02:42:0a:09:00:99"),
        ("NetworkID", &id),
        ("Aliases", "[www web2]"),
        ("IPAMConfig.IPv4Address", "10.9.0.77"),
        ("GwPriority", "0"),
    ] {
        assert_eq!(own(member), expected, "{member}");
    }
    let container = host.inspect("web", "{{.Id}}");
    assert_eq!(own("DNSNames"), format!("[web {} {container} www web2]", &container[..12]));
    let endpoint = own("EndpointID");
    assert_eq!(endpoint.len(), 64);
    let member = inspect_network(&host, "front", &format!("{{{{json (index .Containers \"{container}\")}}}}"));
    let expected = format!(
        r#"{{"EndpointID":"{endpoint}","IPv4Address":"10.9.0.77/24","IPv6Address":"fd00:9::77/64","MacAddress":"02:42:0a:09:00:99","Name":"web"}}"#
    );
    assert_eq!(member, expected);
    assert_eq!(line(&host, "ps --format {{.Networks}}").ok().out(), "front");
    line(&host, "stop -t 0 web").ok();
    for (member, expected) in
        [("IPAddress", ""), ("Gateway", ""), ("EndpointID", ""), ("IPPrefixLen", "0"), ("Aliases", "[www web2]")]
    {
        assert_eq!(own(member), expected, "{member} of a stopped one");
    }
    assert_eq!((own("NetworkID"), own("MacAddress")), (id, "02:42:0a:09:00:99".to_owned()));
    assert_eq!(inspect_network(&host, "front", "{{len .Containers}}"), "0");
    line(&host, "rm web").ok();
    // The default bridge's addresses are shown twice, and it has no names.
    sleeper(&host, "plain", "");
    let twice = host.inspect(
        "plain",
        "{{.NetworkSettings.IPAddress}} {{.NetworkSettings.Networks.bridge.IPAddress}} {{json .NetworkSettings.Networks.bridge.DNSNames}}",
    );
    assert_eq!(twice, "172.17.0.2 172.17.0.2 null");
    assert_eq!(host.inspect("plain", "{{.NetworkSettings.Gateway}} {{.HostConfig.NetworkMode}}"), "172.17.0.1 default");
    for (mode, networks) in [("none", "none"), ("host", "host"), ("container:plain", "")] {
        sleeper(&host, "other", &format!("--network {mode}"));
        assert_eq!(line(&host, "ps --filter name=other --format {{.Networks}}").ok().out(), networks, "{mode}");
        assert_eq!(host.inspect("other", "{{json .NetworkSettings.Ports}}"), "{}", "{mode}");
        line(&host, "rm -f other").ok();
    }
}

#[test]
fn a_container_starts_on_several_networks() {
    let host = Host::with_image();
    for (name, subnet) in [("front", "10.9.0.0/24"), ("back", "10.8.0.0/24"), ("side", "10.7.0.0/24")] {
        line(&host, &format!("network create --ipv6=false --subnet {subnet} {name}")).ok();
    }
    let flags = "--network name=front,ip=10.9.0.5,alias=a,alias=b --network name=back,mac-address=02:00:00:00:00:05,gw-priority=7 --network side";
    sleeper(&host, "web", flags);
    assert_eq!(line(&host, "ps --format {{.Networks}}").ok().out(), "back,front,side");
    let shown = line(&host, "exec web ip address").ok().stdout;
    for own in ["inet 10.9.0.5/24", "inet 10.8.0.2/24", "inet 10.7.0.2/24", "02:00:00:00:00:05", "eth0", "eth1", "eth2"]
    {
        assert!(shown.contains(own), "{own}: {shown}");
    }
    let route = line(&host, "exec web ip route").ok().stdout;
    assert!(route.starts_with("default via 10.8.0.1 "), "{route}");
    assert_eq!(host.inspect("web", "{{.HostConfig.NetworkMode}}"), "front");
    assert_eq!(host.inspect("web", "{{.NetworkSettings.Networks.front.Aliases}}"), "[a b]");
    assert_eq!(host.inspect("web", "{{.NetworkSettings.Networks.back.GwPriority}}"), "7");
    for (flags, words) in [
        ("--network front --network front", "network \"front\" is specified multiple times"),
        ("--network front --network bridge", "cannot attach both user-defined and non-user-defined"),
        ("--network name=front,colour=red", "invalid field key colour"),
        ("--network name=front,driver-opt=a=b", "not supported: --network with driver-opt"),
        ("--network alias=a", "network name/id is not specified"),
        ("--network nowhere", "network nowhere not found"),
        ("--network front --network nowhere", "network nowhere not found"),
        ("--network name=front,ip=10.9.0.6 --ip 10.9.0.7", "cannot specify both --ip and per-network IPv4 address"),
        ("--network front --mac-address 01:00:00:00:00:01", "01:00:00:00:00:01"),
        ("--network front --ip 10.9.0", "invalid IPv4 address: 10.9.0"),
        ("--network front --ip6 fd00::1", "no IPv6"),
        ("--network front --link a:b:c", "bad format for links: a:b:c"),
        ("--network front --link-local-ip 169.254.1.1", "not supported: --link-local-ip"),
        ("--ip 172.17.0.9", "user specified IP address is supported on user defined networks only"),
        ("--network-alias x", "network-scoped aliases are only supported for user-defined networks"),
        ("--network host --mac-address 02:00:00:00:00:01", "conflicting options: mac-address and the network mode"),
        ("--network host --ip 10.9.0.9", "user specified IP address is supported on user defined networks only"),
        ("--network container:web --hostname x", "conflicting options: hostname and the network mode"),
        ("--network container:web -p 80", "conflicting options: port publishing and the container type network mode"),
        (
            "--network container:web --expose 80",
            "conflicting options: port exposing and the container type network mode",
        ),
    ] {
        line(&host, &format!("run --rm {flags} {IMAGE} true")).code(125).says(words);
    }
    assert_eq!(host.containers().len(), 1);
}

#[test]
fn containers_join_and_leave_networks() {
    let host = Host::with_image();
    for (name, subnet) in [("front", "10.9.0.0/24"), ("back", "10.8.0.0/24")] {
        line(&host, &format!("network create --ipv6=false --subnet {subnet} {name}")).ok();
    }
    sleeper(&host, "web", "--network front");
    line(&host, "network connect --alias store --ip 10.8.0.50 --gw-priority 1 back web").ok();
    assert_eq!(line(&host, "ps --format {{.Networks}}").ok().out(), "back,front");
    assert!(line(&host, "exec web ip address show eth1").ok().stdout.contains("inet 10.8.0.50/24"));
    let own = "{{.NetworkSettings.Networks.back.IPAddress}} {{.NetworkSettings.Networks.back.Aliases}}";
    assert_eq!(host.inspect("web", own), "10.8.0.50 [store]");
    line(&host, "network connect back web").code(1).says("endpoint with name web already exists in network back");
    line(&host, "network rm back").code(1).says("network back has active endpoints");
    line(&host, "network disconnect front web").ok();
    assert_eq!(line(&host, "ps --format {{.Networks}}").ok().out(), "back");
    assert!(!line(&host, "exec web ip address").ok().stdout.contains("10.9.0."));
    assert!(line(&host, "exec web ip route").ok().stdout.starts_with("default via 10.8.0.1 "));
    line(&host, "network disconnect front web").code(1).says("is not connected to network front");
    // What was changed while it ran is what the next start finds.
    line(&host, "restart -t 0 web").ok();
    assert_eq!(host.inspect("web", own), "10.8.0.50 [store]");
    line(&host, "stop -t 0 web").ok();
    line(&host, "network connect front web").ok();
    line(&host, "network disconnect back web").ok();
    line(&host, "start web").ok();
    assert_eq!(line(&host, "ps --format {{.Networks}}").ok().out(), "front");
    line(&host, "network disconnect front web").ok();
    assert!(!line(&host, "exec web ip address").ok().stdout.contains("eth"));
    line(&host, "network connect front web").ok();
    assert!(line(&host, "exec web ip route").ok().stdout.starts_with("default via 10.9.0.1 "));
    sleeper(&host, "on-host", "--network host");
    for (arguments, words) in [
        ("connect nowhere web", "network nowhere not found"),
        ("connect front nobody", "No such container: nobody"),
        ("connect front on-host", "cannot be connected to any other network"),
        ("connect --ip 10.7.0.1 back web", "10.7.0.1"),
        ("connect --ip nonsense back web", "invalid IPv4 address: nonsense"),
        ("connect --link a:b:c back web", "bad format for links"),
        ("connect host web", "host"),
        ("disconnect host on-host", "container cannot be disconnected from host network"),
        ("disconnect nowhere web", "network nowhere not found"),
        ("disconnect front nobody", "No such container: nobody"),
    ] {
        line(&host, &format!("network {arguments}")).code(1).says(words);
    }
    line(&host, "network disconnect -f front nobody").ok();
    for flag in ["driver-opt=a=b", "link-local-ip=169.254.1.1"] {
        line(&host, &format!("network connect --{flag} back web")).code(125).says("not supported: --");
    }
    line(&host, "network connect front").code(1).says("requires 2 arguments");
    assert_eq!(line(&host, "ps --filter name=web --format {{.Networks}}").ok().out(), "front");
    line(&host, "rm -f web").ok();
    line(&host, "network rm front back").ok();
}

#[test]
fn published_ports_are_shown() {
    let host = Host::new();
    host.berth(["import", "-c", "EXPOSE 443", crate::harness::rootfs_archive().to_str().unwrap(), IMAGE]).ok();
    line(&host, "network create --ipv6=false four").ok();
    sleeper(&host, "six", "-p 8080:80 -p 127.0.0.1:9000-9001:90-91/udp -p [::1]:7000:70 --expose 100-101");
    sleeper(&host, "four", "--network four -p 8081:80 --publish target=81,published=8082,protocol=udp,mode=host");
    let ports =
        |name: &str| host.berth(["ps", "--filter", &format!("name=^{name}$"), "--format", "{{.Ports}}"]).ok().out();
    assert_eq!(
        ports("six"),
        "[::1]:7000->70/tcp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp, 127.0.0.1:9000-9001->90-91/udp, 100-101/tcp, 443/tcp"
    );
    assert_eq!(ports("four"), "0.0.0.0:8081->80/tcp, 0.0.0.0:8082->81/udp, 443/tcp");
    let all = "70/tcp -> [::1]:7000\n80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080\n90/udp -> 127.0.0.1:9000\n91/udp -> 127.0.0.1:9001\n";
    assert_eq!(line(&host, "port six").ok().stdout, all);
    assert_eq!(line(&host, "port six 80").ok().stdout, "0.0.0.0:8080\n[::]:8080\n");
    assert_eq!(line(&host, "container port six 90/udp").ok().stdout, "127.0.0.1:9000\n");
    line(&host, "port six 443").code(1).says("no public port '443/tcp' published for six");
    let shown = host.inspect("four", "{{json .NetworkSettings.Ports}}");
    let expected = r#"{"443/tcp":null,"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8081"}],"81/udp":[{"HostIp":"0.0.0.0","HostPort":"8082"}]}"#;
    assert_eq!(shown, expected);
    assert_eq!(
        host.inspect("four", "{{json .HostConfig.PortBindings}}"),
        r#"{"80/tcp":[{"HostIp":"","HostPort":"8081"}],"81/udp":[{"HostIp":"","HostPort":"8082"}]}"#
    );
    for (filter, expected) in [
        ("publish=80", "four six"),
        ("publish=81/udp", "four"),
        ("publish=85-95/udp", "six"),
        ("publish=443", ""),
        ("expose=443", "four six"),
        ("expose=100", "six"),
        ("expose=80/udp", ""),
        ("network=four", "four"),
        ("network=bridge", "six"),
        (&format!("network={}", inspect_network(&host, "four", "{{.Id}}")), "four"),
    ] {
        let found = host.berth(["ps", "-a", "--filter", filter, "--format", "{{.Names}}"]).ok().lines();
        assert_eq!(found.join(" "), expected, "{filter}");
    }
    line(&host, "stop -t 0 six").ok();
    assert_eq!(host.inspect("six", "{{json .NetworkSettings.Ports}}"), "{}");
    assert_eq!(line(&host, "port six").ok().stdout, "");
    sleeper(&host, "all", "-P -p 53/udp");
    let all = line(&host, "port all").ok().lines();
    let port = |line: &String| line.rsplit(':').next().unwrap().parse::<u16>().unwrap();
    assert!(all.len() == 4 && all[0].starts_with("53/udp -> 0.0.0.0:") && all[2].starts_with("443/tcp -> "), "{all:?}");
    assert!(all.iter().all(|line| port(line) >= 1024) && port(&all[0]) == port(&all[1]), "{all:?}");
}

#[test]
fn a_link_is_a_name_that_only_one_container_uses() {
    let host = Host::with_image();
    line(&host, "network create front").ok();
    sleeper(&host, "db", "");
    sleeper(&host, "cache", "--network front");
    let reaches = |flags: &str, name: &str| {
        line(&host, &format!("run --rm {flags} {IMAGE} ping -c 1 -w 5 {name}")).ok();
    };
    reaches("--link db:store", "store");
    reaches("--link db", "db");
    reaches("--network front --link cache:store", "store");
    line(&host, &format!("run --rm {IMAGE} ping -c 1 -w 5 db")).code(1);
    for (flags, words) in [
        ("--link nobody", "No such container: nobody"),
        ("--link cache", "cannot link to cache: it does not run on a network of this container"),
        ("--network front --link db", "cannot link to db"),
        ("--network host --link db", "links"),
    ] {
        line(&host, &format!("run --rm {flags} {IMAGE} true")).code(125).says(words);
    }
    line(&host, "stop -t 0 db").ok();
    line(&host, &format!("run --rm --link db {IMAGE} true")).code(125).says("cannot link to db");
}

#[test]
fn ports_follow_the_network_that_leads_out() {
    let host = Host::with_image();
    for (name, subnet) in [("front", "10.9.0.0/24"), ("back", "10.8.0.0/24")] {
        line(&host, &format!("network create --ipv6=false --subnet {subnet} {name}")).ok();
    }
    let serve = "while true; do echo served | nc -l -p 80; done";
    host.berth(["run", "-d", "--name", "web", "--network", "front", "-p", "8080:80", IMAGE, "sh", "-c", serve]).ok();
    let is_served = || {
        let mut client = Command::new("/bin/busybox");
        client.args(["nc", "-w", "1", "127.0.0.1", "8080"]);
        finish(client, b"").stdout == "served\n"
    };
    assert!(eventually(is_served));
    line(&host, "network connect back web").ok();
    line(&host, "network disconnect front web").ok();
    assert_eq!(line(&host, "port web").ok().stdout, "80/tcp -> 0.0.0.0:8080\n");
    assert!(eventually(is_served));
    line(&host, "network disconnect back web").ok();
    assert_eq!(line(&host, "port web").ok().stdout, "");
    // The port is still held for it.
    host.berth(["run", "--rm", "-p", "8080:80", IMAGE, "true"]).code(125).says("port is already allocated");
    line(&host, "network connect front web").ok();
    assert_eq!(line(&host, "port web").ok().stdout, "80/tcp -> 0.0.0.0:8080\n");
    assert!(eventually(is_served));
    line(&host, "stop -t 0 web").ok();
    line(&host, "network rm front back").ok();
}

#[test]
fn a_port_that_cannot_be_published_is_said() {
    let host = Host::with_image();
    for (port, words) in [
        ("70000", "invalid containerPort: 70000"),
        ("70000:80", "invalid hostPort: 70000"),
        ("0", "0"),
        ("80:", "no port specified: 80:<empty>"),
        ("80/icmp", "invalid proto: icmp"),
        ("8000-8001:80-82", "invalid ranges specified for container and host Ports: 80-82 and 8000-8001"),
        ("300.0.0.1:80:80", "invalid IP address: 300.0.0.1"),
        ("::1:8080:80", "an IPv6 address stands in brackets, as in [::1]:8080:80"),
        ("target=80,publish=8080", "invalid publish option 'publish=8080'"),
        ("192.0.2.77:80:80", "this host does not have the address"),
    ] {
        host.berth(["run", "--rm", "-p", port, IMAGE, "true"]).code(125).says(words);
    }
    host.berth(["run", "--rm", "--expose", "80:80", IMAGE, "true"]).code(125).says("invalid port format for --expose");
    let warned = host.berth(["run", "--rm", "--network", "host", "-p", "80:80", IMAGE, "true"]).ok();
    assert_eq!(warned.stderr, "WARNING: Published ports are discarded when using host network mode\n");
    sleeper(&host, "web", "-p 8080:80");
    let taken = host.berth(["run", "--rm", "-p", "8080:80", IMAGE, "true"]).code(125).says("port is already allocated");
    assert!(taken.stderr.contains("container web has it"), "{taken:?}");
    assert_eq!(host.containers().len(), 1);
    // A range takes the first that is free.
    sleeper(&host, "other", "-p 8080-8082:80");
    assert_eq!(line(&host, "port other 80").ok().lines()[0], "0.0.0.0:8081");
}

#[test]
fn unused_networks_are_pruned() {
    let host = Host::with_image();
    for name in ["used", "idle", "labelled", "free"] {
        line(&host, &format!("network create --label name={name} {name}")).ok();
    }
    line(&host, &format!("create --name idle --network idle {IMAGE} true")).ok();
    sleeper(&host, "web", "--network used");
    let refused = host.berth_with_input(["network", "prune"], b"n\n").code(1).says("network prune has been cancelled");
    let warning = "WARNING! This will remove all custom networks not used by at least one container.\nAre you sure you want to continue? [y/N] ";
    assert_eq!(refused.stdout, warning);
    assert_eq!(
        line(&host, "network prune -f --filter label=name=labelled").ok().stdout,
        "Deleted Networks:\nlabelled\n\n"
    );
    assert_eq!(line(&host, "network prune -f --filter until=1h").ok().stdout, "");
    line(&host, "network prune -f --filter colour=red").code(1).says("invalid filter 'colour'");
    let pruned = host.berth_with_input(["network", "prune"], b"y\n").ok();
    assert_eq!(pruned.stdout, format!("{warning}Deleted Networks:\nfree\n\n"));
    assert_eq!(networks(&host), "bridge host idle none used");
    // A container that does not run keeps a network from being pruned, not from being removed.
    line(&host, "network rm idle").ok();
    line(&host, "rm -f web").ok();
    assert!(eventually(|| line(&host, "system prune -f").ok().stdout.contains("Deleted Networks:\nused\n")));
    assert_eq!(networks(&host), "bridge host none");
}

#[test]
fn who_joins_a_network_while_it_runs_learns_names_there() {
    let host = Host::with_image();
    host.berth(["network", "create", "shop"]).ok();
    host.berth(["run", "-d", "--name", "web", "--network", "shop", IMAGE, "sleep", "1000"]).ok();
    for (name, network) in [("late", "bridge"), ("bare", "none")] {
        host.berth(["run", "-d", "--name", name, "--network", network, IMAGE, "sleep", "1000"]).ok();
        host.berth(["network", "connect", "shop", name]).ok();
        let resolver = host.berth(["exec", name, "cat", "/etc/resolv.conf"]).ok().out();
        assert!(resolver.contains("nameserver 127.0.0.11"), "{resolver}");
        host.berth(["exec", name, "nslookup", "web"]).ok();
        let hosts = host.berth(["exec", name, "cat", "/etc/hosts"]).ok().out();
        let own = host.inspect(name, "{{(index .NetworkSettings.Networks \"shop\").IPAddress}}");
        assert!(hosts.contains(&own), "{hosts}");
    }
    // What the container wrote itself stays.
    host.berth(["exec", "late", "sh", "-c", "echo 192.0.2.9 mine >> /etc/hosts"]).ok();
    host.berth(["network", "disconnect", "shop", "late"]).ok();
    assert!(host.berth(["exec", "late", "cat", "/etc/hosts"]).ok().out().contains("192.0.2.9 mine"));
}
