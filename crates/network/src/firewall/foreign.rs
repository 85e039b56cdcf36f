//! Lets our packets through other programs' forward chains: an accept of ours does not overrule a drop of theirs.
//!
//! Where a packet can end in a drop, two rules at the head accept what comes from a bridge of ours and what goes there; our own tables still judge
//! both. Nothing else of theirs is changed. iptables-legacy is not looked at.

use std::collections::{BTreeMap, BTreeSet};

use base::{Error, Kind, Result};

use super::Firewall;
use super::attributes::{Attributes, number, text};
use super::nftables::{
    self, Batch, DELETE_RULE, FORWARD, GET_RULE, INET, IPV4, IPV6, NEW_RULE, Table, answered, found, new,
};
use super::rule::{self, Load, Rule};
use super::ruleset::Place;
use super::set::interface;
use crate::netlink::{CREATE, Socket, attributes_of};

/// A base chain of somebody else at the forward hook.
struct Chain {
    table: Table,
    name: String,
    drops: bool,
}

/// A rule as far as it matters here.
struct Seen {
    handle: Vec<u8>,
    comment: Option<String>,
    /// Whether a packet can end here.
    drops: bool,
    /// Chains that it goes to.
    to: Vec<String>,
}

/// The chains of a table that are known to drop, or not to.
type Known = BTreeMap<String, bool>;

impl Firewall {
    /// Lets packets from and to `bridge` through every forward chain of nf_tables that could drop them; those made by iptables-nft show it in
    /// `iptables-save`. Repeated, it changes nothing, unless a rule that could drop them came to stand before ours.
    ///
    /// # Errors
    /// `Denied` when a chain belongs to a program that lets nobody change it (`flags owner`), naming it and what to do; when the kernel refuses.
    pub fn open_foreign(&self, bridge: &str) -> Result<()> {
        let comment = self.comment(bridge);
        let mut touched = BTreeSet::new();
        let opened = self.settle(&format!("open the host's packet filter for {bridge}"), |socket, batch| {
            touched.clear();
            for chain in chains(socket)? {
                let mut known = Known::new();
                let rules = rules(socket, &chain.table, &chain.name)?;
                let before = rules.iter().take_while(|rule| rule.comment.as_ref() != Some(&comment));
                let before: Vec<_> = before.collect();
                let is_open = before.len() < rules.len();
                let mut drops = chain.drops && !is_open;
                for rule in before {
                    drops |= rule_drops(socket, &chain.table, rule, &mut known)?;
                }
                if drops {
                    remove(batch, &chain, &rules, &comment);
                    insert(batch, &chain, bridge, &comment);
                    touched.insert(format!("{} of table {} {}", chain.name, family(&chain.table), chain.table.name));
                }
            }
            Ok(())
        });
        opened.map_err(|error| refused(error, bridge, &touched))
    }

    /// Removes what [`Firewall::open_foreign`] put for `bridge` into other programs' chains.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn close_foreign(&self, bridge: &str) -> Result<()> {
        let comment = self.comment(bridge);
        self.settle(&format!("close the host's packet filter for {bridge}"), |socket, batch| {
            for chain in chains(socket)? {
                let rules = rules(socket, &chain.table, &chain.name)?;
                remove(batch, &chain, &rules, &comment);
            }
            Ok(())
        })
    }

    fn comment(&self, bridge: &str) -> String {
        format!("{} {bridge}", Place::Main.table(&self.tag).name)
    }
}

/// What to do about a chain that nobody but its owner may change.
fn refused(error: Error, bridge: &str, touched: &BTreeSet<String>) -> Error {
    if error.kind() != Kind::Denied {
        return error;
    }
    let chains = Vec::from_iter(touched.iter().cloned()).join(", ");
    let hint = format!("let its owner accept what comes in by {bridge} and what goes out there");
    error.context(format!("the chain {chains} drops what containers send and lets nobody change it: {hint}"))
}

fn family(table: &Table) -> &'static str {
    match table.family {
        IPV4 => "ip",
        IPV6 => "ip6",
        _ => "inet",
    }
}

fn chains(socket: &mut Socket) -> Result<Vec<Chain>> {
    let answers = found(socket.list(&new(nftables::GET_CHAIN, 0, Attributes::of_message(0, 0)))?)?.unwrap_or_default();
    let mut chains = Vec::new();
    for answer in answers {
        let family = answer.body.first().copied().unwrap_or(0);
        let mut chain = Chain { table: Table { family, name: String::new() }, name: String::new(), drops: false };
        let (mut forwards, mut kind) = (false, String::new());
        for (attribute, content) in answered(&answer.body) {
            match attribute {
                1 => chain.table.name = text(content),
                3 => chain.name = text(content),
                4 => forwards = attributes_of(content).any(|(kind, hook)| kind == 1 && number(hook) == FORWARD),
                5 => chain.drops = number(content) == 0,
                7 => kind = text(content),
                _ => {}
            }
        }
        let own = chain.table.name == "berth" || chain.table.name.starts_with("berth-");
        if forwards && kind == "filter" && matches!(family, INET | IPV4 | IPV6) && !own {
            chains.push(chain);
        }
    }
    Ok(chains)
}

fn rules(socket: &mut Socket, table: &Table, chain: &str) -> Result<Vec<Seen>> {
    let body = Attributes::of_message(table.family, 0).text(1, &table.name).text(2, chain);
    let answers = found(socket.list(&new(GET_RULE, 0, body))?)?.unwrap_or_default();
    Ok(answers.iter().map(|answer| Seen::parse(&answer.body)).collect())
}

/// Whether the rule drops, or goes to a chain where a packet can end in a drop.
fn rule_drops(socket: &mut Socket, table: &Table, rule: &Seen, known: &mut Known) -> Result<bool> {
    let mut drops = rule.drops;
    for chain in &rule.to {
        drops = drops || chain_drops(socket, table, chain, known)?;
    }
    Ok(drops)
}

/// The kernel refuses loops, and more than 16 jumps one inside the other.
fn chain_drops(socket: &mut Socket, table: &Table, chain: &str, known: &mut Known) -> Result<bool> {
    if let Some(drops) = known.get(chain) {
        return Ok(*drops);
    }
    known.insert(chain.to_owned(), false);
    let mut drops = false;
    for rule in rules(socket, table, chain)? {
        drops = drops || rule_drops(socket, table, &rule, known)?;
    }
    known.insert(chain.to_owned(), drops);
    Ok(drops)
}

fn remove(batch: &mut Batch, chain: &Chain, rules: &[Seen], comment: &str) {
    for rule in rules.iter().filter(|rule| rule.comment.as_deref() == Some(comment)) {
        let body = Attributes::of_message(chain.table.family, 0)
            .text(1, &chain.table.name)
            .text(2, &chain.name)
            .bytes(3, &rule.handle);
        batch.request(("a rule of", "the host"), new(DELETE_RULE, 0, body));
    }
}

/// At the head: for what goes to the bridge, and before that for what comes from there.
fn insert(batch: &mut Batch, chain: &Chain, bridge: &str, comment: &str) {
    let by_iptables = matches!(chain.table.family, IPV4 | IPV6) && chain.name == "FORWARD";
    for load in [rule::OUTPUT, rule::INPUT] {
        let body = Attributes::of_message(chain.table.family, 0).text(1, &chain.table.name).text(2, &chain.name);
        let body = if by_iptables {
            body.nested(4, of_iptables(load, bridge, comment).expressions())
        } else {
            let rule = Rule::new().load(load).equals(&interface(bridge)).counter().accept();
            body.nested(4, rule.expressions()).bytes(7, &super::set::comment(comment))
        };
        batch.request(("a rule of", "the host"), new(NEW_RULE, CREATE, body));
    }
}

/// As `iptables -I FORWARD -i BRIDGE -m comment --comment COMMENT -j ACCEPT` makes it.
fn of_iptables(load: Load, bridge: &str, comment: &str) -> Rule {
    let name = [bridge.as_bytes(), &[0]].concat();
    Rule::new().load(load).equals(&name).iptables_comment(comment).counter().accept()
}

impl Seen {
    fn parse(body: &[u8]) -> Self {
        let mut seen = Self { handle: Vec::new(), comment: None, drops: false, to: Vec::new() };
        for (attribute, content) in answered(body) {
            match attribute {
                3 => seen.handle = content.to_vec(),
                4 => attributes_of(content).for_each(|(_, expression)| seen.expression(expression)),
                7 => seen.comment = super::set::parse_comment(content).or(seen.comment),
                _ => {}
            }
        }
        seen
    }

    fn expression(&mut self, bytes: &[u8]) {
        let part = |bytes, wanted| {
            attributes_of(bytes).find(|(kind, _)| *kind == wanted).map(|(_, content)| content).unwrap_or_default()
        };
        let data = part(bytes, 2);
        match text(part(bytes, 1)).as_str() {
            "reject" | "queue" => self.drops = true,
            "immediate" => self.verdict(part(part(data, 2), 2)),
            // A map of verdicts: what it holds may change at any time.
            "lookup" if attributes_of(data).any(|(kind, register)| kind == 3 && number(register) == 0) => {
                self.drops = true
            }
            // Whatever iptables has as a target and not as a verdict.
            "target" => self.drops |= matches!(text(part(data, 1)).as_str(), "REJECT" | "NFQUEUE" | "TARPIT" | "DROP"),
            "match" if text(part(data, 1)) == "comment" => self.comment = Some(text(part(data, 3))),
            _ => {}
        }
    }

    fn verdict(&mut self, bytes: &[u8]) {
        for (kind, content) in attributes_of(bytes) {
            match (kind, number(content)) {
                // `NF_DROP`, and `NF_QUEUE` with a number in its upper half.
                (1, code) if code == 0 || code & 0xffff == 3 => self.drops = true,
                (2, _) => self.to.push(text(content)),
                _ => {}
            }
        }
    }
}
