//! Which networks the settings of a container mean: names for whatever they were given as, checked before anything is made.

use std::collections::BTreeMap;

use base::{Error, Result};

use super::attach;
use super::record::Driver;
use crate::Engine;
use crate::containers::{EndpointRequest, NetworkMode, Settings};

impl Engine {
    /// Replaces ids of networks by names, and checks what is asked of each.
    ///
    /// # Errors
    /// `NotFound` for a network that is not there; `Invalid` and `Denied`, in Docker's words, for what cannot be asked of it.
    pub(crate) fn resolve_networks(&self, settings: &mut Settings) -> Result<()> {
        if let NetworkMode::Named(given) = &settings.network {
            let record = self.find_network(given)?;
            let asked = settings.networks.remove(given);
            settings.network = match record.driver {
                Driver::Host => NetworkMode::Host,
                Driver::None => NetworkMode::None,
                _ => NetworkMode::Named(record.name.clone()),
            };
            if let Some(asked) = asked {
                insert(&mut settings.networks, record.name, asked)?;
            }
        }
        let others = std::mem::take(&mut settings.networks);
        for (given, asked) in others {
            let name = if given == "default" { given } else { self.find_network(&given)?.name };
            insert(&mut settings.networks, name, asked)?;
        }
        match &settings.network {
            NetworkMode::Default | NetworkMode::Named(_) => {}
            mode => return only(&mode.clone(), &mut settings.networks),
        }
        for (name, asked) in Self::wanted_networks(settings) {
            let record = self.find_network(&name)?;
            if matches!(record.driver, Driver::Host | Driver::None) {
                return Err(Error::denied(match record.driver {
                    Driver::Host => "container cannot be connected to host network",
                    _ => {
                        "container cannot be connected to multiple networks with one of the networks in private (none) mode"
                    }
                }));
            }
            attach::check_request(&record, &asked)?;
        }
        Ok(())
    }
}

fn insert(networks: &mut BTreeMap<String, EndpointRequest>, name: String, asked: EndpointRequest) -> Result<()> {
    if networks.contains_key(&name) {
        return Err(Error::invalid(format!("network \"{name}\" is specified multiple times")));
    }
    networks.insert(name, asked);
    Ok(())
}

/// A container without networks of its own takes no others; clients send an entry without content for the mode itself.
fn only(mode: &NetworkMode, networks: &mut BTreeMap<String, EndpointRequest>) -> Result<()> {
    let name = mode.to_string();
    let (own, others): (Vec<_>, Vec<_>) =
        std::mem::take(networks).into_iter().partition(|(given, _)| *given == name || given == "default");
    if !others.is_empty() {
        return Err(Error::invalid(match mode {
            NetworkMode::None => {
                "container cannot be connected to multiple networks with one of the networks in private (none) mode"
            }
            _ => {
                "container sharing network namespace with another container or host cannot be connected to any other network"
            }
        }));
    }
    let Some((_, asked)) = own.into_iter().find(|(_, asked)| *asked != EndpointRequest::default()) else {
        return Ok(());
    };
    Err(Error::invalid(if asked.hardware_address.is_some() {
        "conflicting options: mac-address and the network mode".to_owned()
    } else if asked.ipv4.is_some() || asked.ipv6.is_some() {
        "user specified IP address is supported on user defined networks only".to_owned()
    } else if !asked.links.is_empty() {
        format!("conflicting options: the network mode {name} can't be used with links")
    } else {
        "network-scoped aliases are only supported for user-defined networks".to_owned()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_without_networks_take_no_settings_of_any() {
        let empty = EndpointRequest::default();
        let hardware = EndpointRequest { hardware_address: Some("02:42:ac:11:00:02".to_owned()), ..empty.clone() };
        let address = EndpointRequest { ipv4: Some(std::net::Ipv4Addr::LOCALHOST), ..empty.clone() };
        let alias = EndpointRequest { aliases: vec!["x".to_owned()], ..empty.clone() };
        let link = EndpointRequest { links: vec!["a:b".to_owned()], ..empty.clone() };
        for (mode, name, asked, words) in [
            (NetworkMode::Host, "host", &empty, ""),
            (NetworkMode::None, "default", &empty, ""),
            (NetworkMode::Host, "front", &empty, "sharing network namespace"),
            (NetworkMode::None, "front", &empty, "private (none) mode"),
            (NetworkMode::Host, "host", &hardware, "mac-address and the network mode"),
            (NetworkMode::Host, "host", &address, "user defined networks only"),
            (NetworkMode::None, "none", &alias, "network-scoped aliases"),
            (NetworkMode::Container("a".to_owned()), "default", &link, "links"),
        ] {
            let mut networks = BTreeMap::from([(name.to_owned(), asked.clone())]);
            match only(&mode, &mut networks) {
                Ok(()) => assert!(words.is_empty() && networks.is_empty(), "{mode} {name}"),
                Err(error) => assert!(!words.is_empty() && error.to_string().contains(words), "{error}"),
            }
        }
    }

    #[test]
    fn a_network_is_named_once() {
        let mut networks = BTreeMap::from([("front".to_owned(), EndpointRequest::default())]);
        let error = insert(&mut networks, "front".to_owned(), EndpointRequest::default()).unwrap_err();
        assert_eq!(error.to_string(), "network \"front\" is specified multiple times");
    }
}
