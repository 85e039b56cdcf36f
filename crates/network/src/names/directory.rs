//! Names and addresses of containers, as the engine keeps them in a network's directory.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;

use ipnet::IpNet;
use rustix::fs::{Mode, OFlags, RawDir};
use rustix::io::Errno;

/// More addresses of one name are not told.
const ADDRESSES: usize = 256;
/// A container has no more addresses in one network than this text holds.
const TEXT: usize = 512;

/// A network that the container is in.
#[derive(Debug)]
pub struct Network {
    /// Its name, which may end the names of its containers.
    pub name: String,
    /// Its subnets: nobody outside is asked for a name of an address in them.
    pub subnets: Vec<IpNet>,
    /// Its directory, with `names/<name in lower case>/<container's id>` and `reverse/<address>`, both symbolic links whose text is what is meant.
    pub directory: OwnedFd,
}

/// What is known of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing: it is not a container's.
    Nothing,
    /// A container has it, with these addresses of both families.
    Addresses(Vec<IpAddr>),
    /// It cannot be told now.
    Unreadable,
}

/// What `networks`, in their order, know of `name`, which is one of [`Query::name`](super::wire::Query::name).
///
/// The first network in which it has an address that is `wanted` decides.
pub(super) fn addresses(networks: &[Network], name: &str, wanted: fn(&IpAddr) -> bool) -> Known {
    let mut known = Known::Nothing;
    let whole = networks.iter().map(|network| (network, name));
    let within = networks.iter().filter_map(|network| Some((network, within(name, &network.name)?)));
    for (network, name) in whole.chain(within) {
        match look_up(network, name) {
            Ok(found) if found.iter().any(wanted) => return Known::Addresses(found),
            // One that is empty is being made or removed.
            Ok(found) if found.is_empty() => {}
            Ok(found) => known = Known::Addresses(found),
            Err(Errno::NOENT) => {}
            Err(_) => return Known::Unreadable,
        }
    }
    known
}

/// `web` for `web.shop` in the network `shop`.
fn within<'a>(name: &'a str, network: &str) -> Option<&'a str> {
    let (name, end) = name.split_at_checked(name.len().checked_sub(network.len())?)?;
    name.strip_suffix('.').filter(|name| !name.is_empty() && end.eq_ignore_ascii_case(network))
}

fn look_up(network: &Network, name: &str) -> Result<Vec<IpAddr>, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(&network.directory, ["names/", name].concat(), flags, Mode::empty())?;
    let mut found = Vec::new();
    let mut space = [MaybeUninit::uninit(); 4096];
    let mut entries = RawDir::new(&directory, &mut space);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        if entry.file_name().to_bytes().starts_with(b".") || found.len() >= ADDRESSES {
            continue;
        }
        let text = text_of(&directory, entry.file_name());
        found.extend(text.iter().flat_map(|text| text.split(',')).filter_map(|address| address.parse::<IpAddr>().ok()));
    }
    // In the order of directories nothing could be shared out in turn.
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// The name of the container that has `address`, with its network's name, in one of `networks`.
pub(super) fn owner(networks: &[Network], address: IpAddr) -> Option<String> {
    networks.iter().find_map(|network| {
        let mut path = format!("reverse/{address}").into_bytes();
        path.push(0);
        let name = text_of(&network.directory, CStr::from_bytes_with_nul(&path).ok()?)?;
        Some(format!("{name}.{}", network.name))
    })
}

/// Whether `address` is of a subnet of one of `networks`.
pub(super) fn is_ours(networks: &[Network], address: IpAddr) -> bool {
    networks.iter().flat_map(|network| &network.subnets).any(|subnet| subnet.contains(&address))
}

fn text_of(directory: &OwnedFd, path: &CStr) -> Option<String> {
    let mut space = [MaybeUninit::uninit(); TEXT];
    let (text, _) = rustix::fs::readlinkat_raw(directory, path, &mut space).ok()?;
    (text.len() < TEXT).then(|| std::str::from_utf8(text).ok().map(str::to_owned)).flatten()
}

/// The address that a name below `in-addr.arpa` or `ip6.arpa` stands for (RFC 1035 §3.5, RFC 3596 §2.5).
pub(super) fn reversed(name: &str) -> Option<IpAddr> {
    if let Some(numbers) = name.strip_suffix(".in-addr.arpa") {
        let mut parts = numbers.rsplit('.');
        let mut octets = [0; 4];
        for octet in &mut octets {
            *octet = parts.next()?.parse().ok()?;
        }
        return parts.next().is_none().then(|| Ipv4Addr::from(octets).into());
    }
    let digits = name.strip_suffix(".ip6.arpa")?;
    let mut number = 0_u128;
    let mut count = 0;
    for digit in digits.rsplit('.') {
        let value = u128::from_str_radix(digit, 16).ok().filter(|_| digit.len() == 1)?;
        (number, count) = (number << 4 | value, count + 1);
        if count > 32 {
            return None;
        }
    }
    (count == 32).then(|| Ipv6Addr::from(number).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_reverse_names() {
        let table = [
            ("4.3.2.1.in-addr.arpa", Some("1.2.3.4")),
            ("3.2.1.in-addr.arpa", None),
            ("5.4.3.2.1.in-addr.arpa", None),
            ("256.3.2.1.in-addr.arpa", None),
            ("in-addr.arpa", None),
            ("2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa", Some("fd00::2")),
            ("0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa", None),
            ("02.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa", None),
            ("web.shop", None),
        ];
        for (name, address) in table {
            assert_eq!(reversed(name), address.map(|address| address.parse().unwrap()), "{name}");
        }
    }

    #[test]
    fn a_network_ends_the_names_of_its_containers() {
        assert_eq!(within("web.shop", "Shop"), Some("web"));
        assert_eq!(within("a.b.my.net", "my.net"), Some("a.b"));
        for name in ["shop", ".shop", "webshop", "web.shop.", "web.other"] {
            assert_eq!(within(name, "shop"), None, "{name}");
        }
    }
}
