//! Which addresses a network has: pure decisions over what was asked for and what is taken.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::digest::Digest;
use base::{Error, Result};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use network::IpVersion;

use super::record::Pool;

/// What was asked for of one family, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubnetRequest {
    /// Address and length of the prefix; empty: chosen.
    pub subnet: String,
    /// A part of the subnet; empty: all.
    pub ip_range: String,
    /// Empty: the first address.
    pub gateway: String,
    /// Name → address.
    pub auxiliary_addresses: BTreeMap<String, String>,
}

/// From which networks take their addresses where they ask for none: a block, and the length of the prefix that each gets.
const BLOCKS: &[(Ipv4Addr, u8, u8)] =
    &[(Ipv4Addr::new(172, 16, 0, 0), 12, 16), (Ipv4Addr::new(192, 168, 0, 0), 16, 24)];
/// The default bridge's first choice, which users know, is also where the search begins.
const FIRST: Ipv4Addr = Ipv4Addr::new(172, 17, 0, 0);

/// A pool as `request` wants it.
///
/// # Errors
/// `Invalid` for what contradicts itself, by name.
pub(super) fn requested(request: &SubnetRequest) -> Result<Pool> {
    let subnet = subnet(&request.subnet)?;
    let range = if request.ip_range.is_empty() { None } else { Some(range(&request.ip_range, subnet)?) };
    let gateway = match request.gateway.as_str() {
        "" => first(subnet),
        text => address_in("gateway", text, subnet)?,
    };
    let mut reserved = BTreeMap::new();
    for (name, text) in &request.auxiliary_addresses {
        reserved.insert(name.clone(), address_in(&format!("auxiliary address {name}"), text, subnet)?);
    }
    Ok(Pool { subnet, range, gateway: Some(gateway), reserved })
}

fn subnet(text: &str) -> Result<IpNet> {
    let net: IpNet = text.parse().map_err(|_| {
        Error::invalid(format!(
            "invalid subnet {text:?}: use an address and the length of its prefix, as in 10.9.0.0/24"
        ))
    })?;
    if net.addr() != net.network() {
        return Err(Error::invalid(format!("invalid subnet {net}: it should be {}", net.trunc())));
    }
    let (shortest, longest) = if net.addr().is_ipv4() { (8, 30) } else { (16, 126) };
    if !(shortest..=longest).contains(&net.prefix_len()) {
        return Err(Error::invalid(format!(
            "invalid subnet {net}: a prefix from /{shortest} to /{longest} leaves room for a gateway and containers"
        )));
    }
    let is_usable = match net.addr() {
        IpAddr::V4(address) => !address.is_loopback() && !address.is_multicast() && !address.is_unspecified(),
        IpAddr::V6(address) => !address.is_loopback() && !address.is_multicast() && !address.is_unspecified(),
    };
    if is_usable {
        Ok(net)
    } else {
        Err(Error::invalid(format!("invalid subnet {net}: no network can have these addresses")))
    }
}

fn range(text: &str, subnet: IpNet) -> Result<IpNet> {
    let range: IpNet = text.parse().map_err(|_| Error::invalid(format!("invalid ip-range {text:?}")))?;
    if range.addr().is_ipv4() == subnet.addr().is_ipv4() && subnet.contains(&range) {
        return Ok(range.trunc());
    }
    Err(Error::invalid(format!("invalid ip-range {range}: it is not within the subnet {subnet}")))
}

fn address_in(what: &str, text: &str, subnet: IpNet) -> Result<IpAddr> {
    let address: IpAddr =
        text.parse().map_err(|_| Error::invalid(format!("invalid {what} {text:?}: it is no address")))?;
    if is_host(subnet, address) {
        return Ok(address);
    }
    Err(Error::invalid(format!("invalid {what} {address}: it is no address for a host within the subnet {subnet}")))
}

/// Whether a host of `subnet` can have `address`.
pub(super) fn is_host(subnet: IpNet, address: IpAddr) -> bool {
    let is_broadcast = matches!(subnet, IpNet::V4(net) if address == net.broadcast());
    subnet.contains(&address) && address != subnet.network() && !is_broadcast
}

/// The first address for a host.
pub(super) fn first(subnet: IpNet) -> IpAddr {
    match subnet.network() {
        IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from_bits(address.to_bits().saturating_add(1))),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits().saturating_add(1))),
    }
}

/// A free subnet of IPv4.
///
/// # Errors
/// `Exhausted`, naming what is in the way.
pub(super) fn choose(taken: &[IpNet]) -> Result<Pool> {
    let candidates = BLOCKS.iter().flat_map(|(address, length, size)| {
        Ipv4Net::new(*address, *length).ok().into_iter().flat_map(|block| block.subnets(*size).into_iter().flatten())
    });
    let mut candidates: Vec<Ipv4Net> = candidates.collect();
    let start = candidates.iter().position(|net| net.network() == FIRST).unwrap_or_default();
    // What lies before the first choice comes after everything else.
    let before: Vec<_> = candidates.drain(..start).collect();
    candidates.extend(before);
    let free = candidates.into_iter().map(IpNet::V4).find(|net| !taken.iter().any(|other| overlap(*net, *other)));
    let subnet = free.ok_or_else(|| exhausted(taken))?;
    Ok(Pool { subnet, range: None, gateway: Some(first(subnet)), reserved: BTreeMap::new() })
}

/// Whether any address is in both.
pub(super) fn overlap(one: IpNet, other: IpNet) -> bool {
    one.addr().is_ipv4() == other.addr().is_ipv4() && (one.contains(&other.network()) || other.contains(&one.network()))
}

fn exhausted(taken: &[IpNet]) -> Error {
    let blocks: Vec<IpNet> =
        BLOCKS.iter().filter_map(|(address, length, _)| Ipv4Net::new(*address, *length).ok().map(IpNet::V4)).collect();
    let mut in_the_way: Vec<IpNet> =
        taken.iter().copied().filter(|net| blocks.iter().any(|block| overlap(*block, *net))).collect();
    in_the_way.sort_by_key(|net| (net.prefix_len(), net.network()));
    in_the_way.dedup();
    let shown: Vec<String> = in_the_way.iter().take(8).map(ToString::to_string).collect();
    let more = in_the_way.len().saturating_sub(shown.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Error::exhausted(format!(
        "no free subnet in 172.16.0.0/12 and 192.168.0.0/16: routes to {}{more} are in the way; \
         remove networks (berth network prune) or choose a subnet with --subnet",
        shown.join(", ")
    ))
}

/// A subnet of IPv6 that nobody else has: unique local addresses (RFC 4193) derived from `seed`.
pub(super) fn unique_local(seed: &str) -> Result<Pool> {
    let digest = Digest::sha256(seed.as_bytes());
    let mut address = [0_u8; 16];
    address[0] = 0xfd;
    for (index, byte) in address.iter_mut().enumerate().take(8).skip(1) {
        *byte = u8::from_str_radix(&digest.hex()[2 * index..2 * index + 2], 16).unwrap_or_default();
    }
    let net = Ipv6Net::new(Ipv6Addr::from(address), 64).map_err(|_| Error::internal("an IPv6 prefix is malformed"))?;
    let subnet = IpNet::V6(net);
    Ok(Pool { subnet, range: None, gateway: Some(first(subnet)), reserved: BTreeMap::new() })
}

/// The next free address for a container after `last`, once around.
///
/// # Errors
/// `Exhausted` when all are taken.
pub(super) fn next(pool: &Pool, last: Option<IpAddr>, mut is_taken: impl FnMut(IpAddr) -> bool) -> Result<IpAddr> {
    let range = pool.range.unwrap_or(pool.subnet);
    let (low, high) = (bits(range.network()), bits(range.broadcast()));
    let start = last.map(bits).filter(|last| (low..high).contains(last)).map_or(low, |last| last + 1);
    let is_free = |address: IpAddr| {
        is_host(pool.subnet, address)
            && pool.gateway != Some(address)
            && !pool.reserved.values().any(|reserved| *reserved == address)
    };
    // Nobody fills an IPv6 prefix: what is beyond this is refused rather than searched for hours.
    const ATTEMPTS: usize = 1 << 17;
    let around = (start..=high).chain(low..start).take(ATTEMPTS);
    let mut around = around.map(|number| from_bits(number, IpVersion::of(pool.subnet.addr())));
    around
        .find(|address| is_free(*address) && !is_taken(*address))
        .ok_or_else(|| Error::exhausted(format!("no available addresses in {range}: all are taken")))
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn from_bits(number: u128, version: IpVersion) -> IpAddr {
    match u32::try_from(number) {
        Ok(number) if version == IpVersion::V4 => IpAddr::V4(Ipv4Addr::from_bits(number)),
        _ => IpAddr::V6(Ipv6Addr::from_bits(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn request(subnet: &str, range: &str, gateway: &str) -> SubnetRequest {
        SubnetRequest {
            subnet: subnet.to_owned(),
            ip_range: range.to_owned(),
            gateway: gateway.to_owned(),
            auxiliary_addresses: BTreeMap::new(),
        }
    }

    #[test]
    fn what_can_be_asked_for() {
        let pool = requested(&request("10.9.0.0/24", "10.9.0.128/25", "")).unwrap();
        assert_eq!(
            (pool.gateway.unwrap().to_string(), pool.range),
            ("10.9.0.1".to_owned(), Some(net("10.9.0.128/25")))
        );
        assert_eq!(
            requested(&request("fd00:9::/64", "", "fd00:9::5")).unwrap().gateway.unwrap().to_string(),
            "fd00:9::5"
        );
        let wrong = [
            ("10.9.0.0", "", ""),
            ("10.9.0.1/24", "", ""),
            ("10.9.0.0/31", "", ""),
            ("10.9.0.0/32", "", ""),
            ("10.0.0.0/4", "", ""),
            ("127.0.0.0/8", "", ""),
            ("224.0.0.0/8", "", ""),
            ("10.9.0.0/24", "10.8.0.0/25", ""),
            ("10.9.0.0/24", "10.0.0.0/8", ""),
            ("10.9.0.0/24", "", "10.8.0.1"),
            ("10.9.0.0/24", "", "10.9.0.0"),
            ("10.9.0.0/24", "", "10.9.0.255"),
            ("10.9.0.0/24", "", "fd00::1"),
            ("fd00:9::/127", "", ""),
        ];
        for (subnet, range, gateway) in wrong {
            assert!(requested(&request(subnet, range, gateway)).is_err(), "{subnet} {range} {gateway}");
        }
    }

    #[test]
    fn subnets_avoid_what_is_taken() {
        assert_eq!(choose(&[]).unwrap().subnet, net("172.17.0.0/16"));
        assert_eq!(choose(&[net("172.17.3.0/24")]).unwrap().subnet, net("172.18.0.0/16"));
        assert_eq!(choose(&[net("172.16.0.0/12")]).unwrap().subnet, net("192.168.0.0/24"));
        assert_eq!(choose(&[net("10.0.0.0/8"), net("fd00::/8")]).unwrap().subnet, net("172.17.0.0/16"));
        let error = choose(&[net("172.16.0.0/12"), net("192.168.0.0/16"), net("10.0.0.0/8")]).unwrap_err().to_string();
        assert!(
            error.contains("172.16.0.0/12, 192.168.0.0/16 are in the way") && !error.contains("10.0.0.0"),
            "{error}"
        );
    }

    #[test]
    fn local_prefixes_differ() {
        let (one, other) = (unique_local("one").unwrap().subnet, unique_local("other").unwrap().subnet);
        assert!(net("fd00::/8").contains(&one) && one.prefix_len() == 64 && one != other);
    }

    #[test]
    fn addresses_go_around() {
        let mut pool = requested(&request("10.9.0.0/29", "", "")).unwrap();
        let next = |pool: &Pool, last: &str, taken: &[&str]| {
            let last = last.parse().ok();
            next(pool, last, |address| taken.contains(&address.to_string().as_str())).map(|address| address.to_string())
        };
        assert_eq!(next(&pool, "", &[]).unwrap(), "10.9.0.2");
        assert_eq!(next(&pool, "10.9.0.4", &[]).unwrap(), "10.9.0.5");
        assert_eq!(next(&pool, "10.9.0.6", &[]).unwrap(), "10.9.0.2");
        assert_eq!(next(&pool, "10.9.0.6", &["10.9.0.2"]).unwrap(), "10.9.0.3");
        let all = ["10.9.0.2", "10.9.0.3", "10.9.0.4", "10.9.0.5", "10.9.0.6"];
        assert!(next(&pool, "", &all).is_err());
        pool.range = Some(net("10.9.0.4/30"));
        assert_eq!(next(&pool, "10.9.0.2", &[]).unwrap(), "10.9.0.4");
        pool.reserved.insert("router".to_owned(), "10.9.0.4".parse().unwrap());
        assert_eq!(next(&pool, "", &[]).unwrap(), "10.9.0.5");
    }
}
