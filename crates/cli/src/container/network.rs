//! `--network` and what belongs to it, `--add-host`.

use std::collections::BTreeMap;

use api::types::{EndpointSettings, IpamEndpoint};
use base::{Error, Result};

use super::mounts::fields;
use crate::flags::Matches;

/// The networks of a container: as the host configuration names the first, and what is asked of each.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Networks {
    pub(crate) mode: String,
    /// Links where the network has no names of its own.
    pub(crate) links: Vec<String>,
    pub(crate) endpoints: BTreeMap<String, Option<EndpointSettings>>,
}

/// What `--network` and the flags about the first network say.
///
/// # Errors
/// `Invalid` for contradictions, in Docker's words; `Unsupported` for what berth does not have.
pub(crate) fn networks(matches: &Matches) -> Result<Networks> {
    let given = matches.list("network");
    let mut networks = Networks::default();
    let attachments: Vec<Attachment> = match given.is_empty() {
        true => vec![Attachment { target: "default".to_owned(), ..Attachment::default() }],
        false => given.iter().map(|text| Attachment::parse(text)).collect::<Result<_>>()?,
    };
    let count = attachments.len();
    let is_mixed =
        attachments.iter().any(Attachment::is_user_defined) && !attachments.iter().all(Attachment::is_user_defined);
    for (position, mut attachment) in attachments.into_iter().enumerate() {
        if position == 0 {
            networks.mode.clone_from(&attachment.target);
            networks.links = attachment.add_flags(matches)?;
        }
        let target = attachment.target.clone();
        let endpoint = attachment.into_endpoint()?;
        if networks.endpoints.contains_key(&target) {
            return Err(Error::invalid(format!("network \"{target}\" is specified multiple times")));
        }
        // The engine makes one for the only network by itself.
        if count > 1 || endpoint != EndpointSettings::default() {
            networks.endpoints.insert(target, Some(endpoint));
        }
    }
    if is_mixed {
        return Err(Error::invalid(
            "conflicting options: cannot attach both user-defined and non-user-defined network-modes",
        ));
    }
    Ok(networks)
}

/// What one `--network` asks for.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Attachment {
    pub(crate) target: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) links: Vec<String>,
    pub(crate) ipv4: String,
    pub(crate) ipv6: String,
    pub(crate) hardware_address: String,
    pub(crate) gateway_priority: i64,
}

impl Attachment {
    /// `front`, or `name=front,alias=web,ip=10.9.0.9,…`.
    fn parse(text: &str) -> Result<Self> {
        let mut attachment = Self::default();
        if !text.contains('=') {
            text.clone_into(&mut attachment.target);
            return attachment.named();
        }
        let wrong =
            |reason: String| Error::invalid(format!("invalid argument {text:?} for \"--network\" flag: {reason}"));
        for field in fields(text).map_err(wrong)? {
            let (key, value) = field.split_once('=').ok_or_else(|| wrong(format!("invalid field {field}")))?;
            let value = value.trim();
            match key.trim().to_ascii_lowercase().as_str() {
                "name" => value.clone_into(&mut attachment.target),
                "alias" => attachment.aliases.push(value.to_owned()),
                "ip" => value.clone_into(&mut attachment.ipv4),
                "ip6" => value.clone_into(&mut attachment.ipv6),
                "mac-address" => value.clone_into(&mut attachment.hardware_address),
                "gw-priority" => {
                    attachment.gateway_priority = value
                        .parse()
                        .map_err(|_| wrong(format!("invalid gw-priority: {value}: use a whole number")))?;
                }
                key @ ("link-local-ip" | "driver-opt") => {
                    return Err(Error::unsupported(format!("not supported: --network with {key}")));
                }
                key => return Err(wrong(format!("invalid field key {key}"))),
            }
        }
        attachment.named()
    }

    fn named(self) -> Result<Self> {
        match self.target.trim().is_empty() {
            true => Err(Error::invalid("network name/id is not specified")),
            false => Ok(self),
        }
    }

    /// Whether it is a network that somebody made: only there are names.
    fn is_user_defined(&self) -> bool {
        !matches!(self.target.as_str(), "default" | "bridge" | "host" | "none")
            && !self.target.starts_with("container:")
    }

    /// Adds what the flags of before there were several networks say of the first. The links that are left are those of the container as a whole.
    fn add_flags(&mut self, matches: &Matches) -> Result<Vec<String>> {
        let text = |name: &str| matches.text(name).unwrap_or_default().to_owned();
        let owned = |name: &str| matches.list(name).into_iter().map(str::to_owned).collect::<Vec<_>>();
        let (aliases, links) = (owned("network-alias"), owned("link"));
        links.iter().try_for_each(|link| check_link(link))?;
        let (ipv4, ipv6, hardware_address) = (text("ip"), text("ip6"), text("mac-address"));
        for (flag, what, is_twice) in [
            ("network-alias", "alias", !self.aliases.is_empty() && !aliases.is_empty()),
            ("ip", "IPv4 address", !self.ipv4.is_empty() && !ipv4.is_empty()),
            ("ip6", "IPv6 address", !self.ipv6.is_empty() && !ipv6.is_empty()),
            ("mac-address", "MAC address", !self.hardware_address.is_empty() && !hardware_address.is_empty()),
        ] {
            if is_twice {
                let message = format!("conflicting options: cannot specify both --{flag} and per-network {what}");
                return Err(Error::invalid(message));
            }
        }
        self.aliases.extend(aliases);
        for (own, given) in
            [(&mut self.ipv4, ipv4), (&mut self.ipv6, ipv6), (&mut self.hardware_address, hardware_address)]
        {
            if !given.is_empty() {
                *own = given;
            }
        }
        if !self.is_user_defined() {
            return Ok(links);
        }
        self.links.extend(links);
        Ok(Vec::new())
    }

    /// As the API has it.
    ///
    /// # Errors
    /// `Invalid` for names on a network that has none.
    fn into_endpoint(self) -> Result<EndpointSettings> {
        if !self.is_user_defined() && !self.aliases.is_empty() {
            return Err(Error::invalid("network-scoped aliases are only supported for user-defined networks"));
        }
        Ok(self.into_settings())
    }

    /// The same without any check.
    pub(crate) fn into_settings(self) -> EndpointSettings {
        let some = |list: Vec<String>| Some(list).filter(|list| !list.is_empty());
        let ipam = IpamEndpoint { ipv4_address: self.ipv4, ipv6_address: self.ipv6, link_local_ips: Vec::new() };
        EndpointSettings {
            ipam_config: (ipam != IpamEndpoint::default()).then_some(ipam),
            links: some(self.links),
            aliases: some(self.aliases),
            mac_address: self.hardware_address,
            gw_priority: self.gateway_priority,
            ..EndpointSettings::default()
        }
    }
}

/// `container` or `container:alias`.
///
/// # Errors
/// `Invalid` for anything else.
pub(crate) fn check_link(text: &str) -> Result<()> {
    let mut parts = text.split(':');
    let is_good = parts.clone().count() <= 2 && parts.all(|part| !part.is_empty());
    match (text, is_good) {
        ("", _) => Err(Error::invalid("empty string specified for links")),
        (_, false) => Err(Error::invalid(format!("bad format for links: {text}"))),
        (_, true) => Ok(()),
    }
}

/// Splits `name:address` or `name=address`, and takes the brackets from an IPv6 address. The engine judges both.
///
/// # Errors
/// `Invalid` for what is not written so.
pub(crate) fn extra_host(text: &str) -> Result<String> {
    let (name, address) = text
        .split_once(['=', ':'])
        .ok_or_else(|| Error::invalid(format!("bad format for add-host: {text:?}: use NAME:ADDRESS")))?;
    let bare = address.strip_prefix('[').and_then(|address| address.strip_suffix(']')).unwrap_or(address);
    Ok(format!("{name}:{bare}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::{Flag, Order, parse};

    static TABLES: &[&[Flag]] = &[super::super::flags::CREATE];

    fn parsed(line: &str) -> Result<Networks> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        networks(&parse(TABLES, Order::First, &words).unwrap())
    }

    fn endpoint(line: &str, name: &str) -> EndpointSettings {
        parsed(line).unwrap().endpoints[name].clone().unwrap()
    }

    #[test]
    fn one_network_by_its_name() {
        for (line, mode) in [
            ("", "default"),
            ("--network none", "none"),
            ("--net container:web", "container:web"),
            ("--network name=host", "host"),
            ("--network bridge", "bridge"),
            ("--network front", "front"),
        ] {
            assert_eq!(parsed(line).unwrap(), Networks { mode: mode.to_owned(), ..Networks::default() }, "{line}");
        }
    }

    #[test]
    fn what_is_asked_of_a_network() {
        let long =
            "--network name=front,alias=a,alias=b,ip=10.9.0.9,ip6=fd00::9,mac-address=02:42:ac:11:00:02,gw-priority=-5";
        let short = "--network front --net-alias a --network-alias b --ip 10.9.0.9 --ip6 fd00::9 --mac-address 02:42:ac:11:00:02";
        let long = endpoint(long, "front");
        assert_eq!(long.aliases, Some(vec!["a".to_owned(), "b".to_owned()]));
        let ipam = long.ipam_config.clone().unwrap();
        assert_eq!((ipam.ipv4_address.as_str(), ipam.ipv6_address.as_str()), ("10.9.0.9", "fd00::9"));
        assert_eq!((long.mac_address.as_str(), long.gw_priority), ("02:42:ac:11:00:02", -5));
        assert_eq!(endpoint(short, "front"), EndpointSettings { gw_priority: 0, ..long });
        let linked = parsed("--network front --link db --link cache:store").unwrap();
        assert!(linked.links.is_empty());
        assert_eq!(linked.endpoints["front"].clone().unwrap().links.unwrap(), ["db", "cache:store"]);
        assert_eq!(parsed("--link db:store").unwrap().links, ["db:store"]);
        assert_eq!(endpoint("--ip 10.9.0.9", "default").ipam_config.unwrap().ipv4_address, "10.9.0.9");
    }

    #[test]
    fn several_networks() {
        let both = parsed("--network name=front,alias=a --network back --network-alias b").unwrap_err().to_string();
        assert_eq!(both, "conflicting options: cannot specify both --network-alias and per-network alias");
        let several = parsed("--network front --network name=back,gw-priority=1 --ip 10.9.0.9").unwrap();
        assert_eq!(several.mode, "front");
        assert_eq!(several.endpoints["back"].clone().unwrap().gw_priority, 1);
        assert_eq!(several.endpoints["front"].clone().unwrap().ipam_config.unwrap().ipv4_address, "10.9.0.9");
    }

    #[test]
    fn what_cannot_be_asked() {
        for (line, words) in [
            ("--network front --network front", "network \"front\" is specified multiple times"),
            ("--network front --network bridge", "cannot attach both user-defined and non-user-defined"),
            ("--network name=front,ip=10.9.0.9 --ip 10.9.0.8", "both --ip and per-network IPv4 address"),
            ("--network name=front,ip6=::1 --ip6 ::2", "both --ip6 and per-network IPv6 address"),
            (
                "--network name=front,mac-address=02:00:00:00:00:01 --mac-address 02:00:00:00:00:02",
                "both --mac-address and per-network MAC address",
            ),
            ("--network-alias a", "network-scoped aliases are only supported for user-defined networks"),
            ("--network name=bridge,alias=a", "network-scoped aliases are only supported"),
            ("--network alias=a", "network name/id is not specified"),
            ("--network name=front,colour=red", "invalid field key colour"),
            ("--network name=front,alias", "invalid field alias"),
            ("--network name=front,gw-priority=high", "invalid gw-priority: high"),
            ("--network name=front,driver-opt=a=b", "not supported: --network with driver-opt"),
            ("--network name=front,link-local-ip=169.254.0.1", "not supported: --network with link-local-ip"),
            ("--link a:b:c", "bad format for links: a:b:c"),
            ("--link :b", "bad format for links: :b"),
        ] {
            let error = parsed(line).unwrap_err().to_string();
            assert!(error.contains(words), "{line}: {error}");
        }
    }

    #[test]
    fn hosts() {
        for (text, expected) in [
            ("a:1.2.3.4", Some("a:1.2.3.4")),
            ("a=1.2.3.4", Some("a:1.2.3.4")),
            ("a:::1", Some("a:::1")),
            ("a:[::1]", Some("a:::1")),
            ("a:host-gateway", Some("a:host-gateway")),
            ("a", None),
        ] {
            assert_eq!(extra_host(text).ok().as_deref(), expected, "{text}");
        }
    }
}
