//! What the host's packet filter knows of the container, and that it forgets it.
//!
//! That is done here rather than by the engine that clears away, for which somebody waits: taking rules back is quick, and closing the socket
//! afterwards is not, see [`Firewall`]; nor is reading the table of tracked connections, which costs 10 ms.

use super::Supervisor;
use crate::protocol::RulesPlan;
use network::firewall::{EndpointRules, Firewall};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// After so long the kernel has done what closing the socket would wait for: a few times what it takes.
const LINGER: Duration = Duration::from_millis(50);

/// What is to be taken back.
#[derive(Debug)]
pub(super) struct Rules {
    firewall: Firewall,
    endpoints: Vec<EndpointRules>,
}

impl Supervisor {
    /// `rules` are what is to be taken back from now on; `None`: as before.
    pub(super) fn will_withdraw(&mut self, rules: Option<RulesPlan>, socket: Option<OwnedFd>) {
        let Some(RulesPlan { tag, endpoints }) = rules else { return };
        match &mut self.rules {
            Some(rules) => rules.endpoints = endpoints,
            None => {
                let firewall = match socket {
                    Some(socket) => Firewall::on(&tag, socket),
                    None => Firewall::new(&tag),
                };
                self.rules = Some(Rules { firewall, endpoints });
            }
        }
    }
}

impl Rules {
    /// Takes the rules back; whether none of them is left. What is, the engine takes back.
    pub(super) fn withdraw(&self) -> bool {
        let outcomes: Vec<_> = self.endpoints.iter().map(|endpoint| self.firewall.detach(endpoint)).collect();
        outcomes.iter().all(Result::is_ok)
    }

    /// What nobody waits for: what is tracked would lead to whoever has the addresses next; and the socket, before this process closes it.
    pub(super) fn linger(self) {
        for endpoint in &self.endpoints {
            let _ = self.firewall.forget_flows(endpoint);
        }
        std::thread::sleep(LINGER);
        drop(self.firewall.into_socket());
    }
}
