//! Messages of nf_tables (`linux/netfilter/nf_tables.h`): batches that are carried out whole or not at all, and questions.

use base::{Error, Failure, Result};
use rustix::io::Errno;

use super::attributes::{Attributes, number};
use super::rule::Rule;
use super::set::{Element, Set};
use crate::netlink::{CREATE, EXCLUSIVE, Family, Refusal, Request, Socket, attributes_of};

/// `NFNL_SUBSYS_NFTABLES`, as a resource and in types of messages.
const SUBSYSTEM: u16 = 10;
const NEW_TABLE: u16 = 0;
const GET_TABLE: u16 = 1;
const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
pub(super) const GET_CHAIN: u16 = 4;
pub(super) const NEW_RULE: u16 = 6;
pub(super) const GET_RULE: u16 = 7;
pub(super) const DELETE_RULE: u16 = 8;
const NEW_SET: u16 = 9;
const NEW_ELEMENT: u16 = 12;
const GET_ELEMENT: u16 = 13;
const DELETE_ELEMENT: u16 = 14;
const GET_GENERATION: u16 = 16;
/// `NFNL_MSG_BATCH_BEGIN` and its end.
const BEGIN: u16 = 16;
const END: u16 = 17;

/// The longest list of elements in a message: each is at most 180 bytes, and an attribute at most 64 KiB.
const ELEMENTS: usize = 300;

/// Families of tables.
pub(super) const INET: u8 = 1;
pub(super) const IPV4: u8 = 2;
pub(super) const BRIDGE: u8 = 7;
pub(super) const IPV6: u8 = 10;

/// Hooks of the families for IP, of which the bridge family has the first.
pub(super) const PREROUTING: u32 = 0;
pub(super) const FORWARD: u32 = 2;
pub(super) const OUTPUT: u32 = 3;
pub(super) const POSTROUTING: u32 = 4;

/// The name of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) family: u8,
    pub(super) name: String,
}

/// A base chain with its rules.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    pub(super) name: &'static str,
    /// `filter` or `nat`.
    pub(super) kind: &'static str,
    pub(super) hook: u32,
    pub(super) priority: i32,
    pub(super) rules: Vec<Rule>,
}

/// Changes that are carried out together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    requests: Vec<Request>,
    /// What each is about.
    labels: Vec<(&'static str, &'static str)>,
}

/// What became of a batch.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is carried out.
    Done,
    /// Something else changed the rules since the given generation; nothing is carried out.
    Overtaken,
    /// Nothing is carried out, for this reason.
    Refused(Refusal, (&'static str, &'static str)),
}

impl Outcome {
    /// The errno of a refusal.
    pub(super) fn errno(&self) -> Option<Errno> {
        match self {
            Self::Refused(refusal, _) => Some(refusal.errno),
            Self::Done | Self::Overtaken => None,
        }
    }

    /// As an error about `action`, unless it is done.
    pub(super) fn into_result(self, action: &str) -> Result<()> {
        match self {
            Self::Done => Ok(()),
            Self::Overtaken => Err(Error::unavailable(format!(
                "{action}: another program changes the packet filter all the time: try again"
            ))),
            Self::Refused(refusal, (what, name)) => Err(refused(refusal, action, what, name)),
        }
    }
}

fn refused(refusal: Refusal, action: &str, what: &str, name: &str) -> Error {
    let missing = matches!(refusal.errno, Errno::NOENT | Errno::OPNOTSUPP | Errno::AFNOSUPPORT | Errno::PROTONOSUPPORT);
    let error = refusal.into_error(&format!("{what} {name}"));
    if missing && matches!(what, "table" | "chain" | "rule" | "set") {
        let hint = "the kernel lacks a part of nf_tables that it needs \
            (modules nf_tables, nft_chain_nat, nft_ct, nft_fib_inet, nft_masq, nft_nat)";
        return error.context(format!("{action}: {hint}")).with_kind(base::Kind::Unsupported);
    }
    error.context(action)
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Appends a request of any kind.
    pub(super) fn request(&mut self, label: (&'static str, &'static str), request: Request) {
        self.requests.push(request);
        self.labels.push(label);
    }

    /// The table, if it is not there.
    pub(super) fn table(&mut self, table: &Table) {
        let body = Attributes::of_message(table.family, 0).text(1, &table.name);
        self.request(("table", "of berth"), new(NEW_TABLE, CREATE, body));
    }

    /// Removes the table with all that it has.
    pub(super) fn remove_table(&mut self, table: &Table) {
        let body = Attributes::of_message(table.family, 0).text(1, &table.name);
        self.request(("table", "of berth"), new(DELETE_TABLE, 0, body));
    }

    /// The set, if it is not there.
    pub(super) fn set(&mut self, table: &Table, set: &Set) {
        let body = Attributes::of_message(table.family, 0).text(1, &table.name);
        let number = u32::try_from(self.requests.len()).unwrap_or(u32::MAX);
        self.request(("set", set.name), new(NEW_SET, CREATE, set.describe(body, number)));
    }

    /// Removes all rules of all chains of the table.
    pub(super) fn flush(&mut self, table: &Table) {
        let body = Attributes::of_message(table.family, 0).text(1, &table.name);
        self.request(("rules", "of berth"), new(DELETE_RULE, 0, body));
    }

    /// The chain, if it is not there, and its rules after those that it has.
    pub(super) fn chain(&mut self, table: &Table, chain: &Chain) {
        let hook = Attributes::default().number(1, chain.hook).bytes(2, &chain.priority.to_be_bytes());
        let body = Attributes::of_message(table.family, 0)
            .text(1, &table.name)
            .text(3, chain.name)
            .nested(4, &hook)
            .text(7, chain.kind);
        self.request(("chain", chain.name), new(NEW_CHAIN, CREATE, body));
        for rule in &chain.rules {
            let body = Attributes::of_message(table.family, 0)
                .text(1, &table.name)
                .text(2, chain.name)
                .nested(4, rule.expressions());
            // `NLM_F_APPEND`.
            self.request(("rule", chain.name), new(NEW_RULE, CREATE | 0x800, body));
        }
    }

    /// The `elements`, none of which may be there.
    pub(super) fn add(&mut self, table: &Table, set: &Set, elements: &[&Element]) {
        for part in elements.chunks(ELEMENTS) {
            let body = of_elements(table, set, part.iter().map(|element| element.whole()));
            self.request(("element of", set.name), new(NEW_ELEMENT, CREATE | EXCLUSIVE, body));
        }
    }

    /// Removes the `elements`, all of which must be there.
    pub(super) fn remove(&mut self, table: &Table, set: &Set, elements: &[&Element]) {
        for part in elements.chunks(ELEMENTS) {
            let body = of_elements(table, set, part.iter().map(|element| element.bare()));
            self.request(("element of", set.name), new(DELETE_ELEMENT, 0, body));
        }
    }

    /// Carries it out; given the `generation` that it was made for, only if nothing changed since.
    ///
    /// # Errors
    /// When the kernel could not be asked.
    pub(super) fn commit(&self, socket: &mut Socket, generation: Option<u32>) -> Result<Outcome> {
        if self.is_empty() {
            return Ok(Outcome::Done);
        }
        let edge = Attributes::of_message(0, SUBSYSTEM);
        let begin = match generation {
            // `NFNL_BATCH_GENID`, Linux 4.11.
            Some(generation) => edge.clone().number(1, generation),
            None => edge.clone(),
        };
        let begin = Request { kind: BEGIN, flags: 0, body: begin.0 };
        let end = Request { kind: END, flags: 0, body: edge.0 };
        let refusals = socket.enclosed(&begin, &self.requests, &end)?;
        // Later refusals may only follow from the first.
        let Some(refusal) = refusals.into_iter().next() else { return Ok(Outcome::Done) };
        // `ERESTART` has no name outside of the kernel.
        if refusal.errno.raw_os_error() == 85 {
            return Ok(Outcome::Overtaken);
        }
        let label = self.labels.get(refusal.index).copied().unwrap_or_default();
        Ok(Outcome::Refused(refusal, label))
    }
}

pub(super) fn new(kind: u16, flags: u16, body: Attributes) -> Request {
    Request { kind: SUBSYSTEM << 8 | kind, flags, body: body.0 }
}

fn of_elements(table: &Table, set: &Set, elements: impl Iterator<Item = Attributes>) -> Attributes {
    let list = elements.fold(Attributes::default(), |list, element| list.nested(1, &element));
    Attributes::of_message(table.family, 0).text(1, &table.name).text(2, set.name).nested(3, &list)
}

/// Attributes of an answer, behind `struct nfgenmsg`.
pub(super) fn answered(body: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    attributes_of(body.get(4..).unwrap_or_default())
}

/// A socket for this module.
///
/// # Errors
/// When the kernel has no netfilter.
pub(super) fn open() -> Result<Socket> {
    Socket::open(Family::Netfilter)
}

/// The number of the present rules: each committed batch raises it.
///
/// # Errors
/// When the kernel could not be asked, or has no nf_tables.
pub(super) fn generation(socket: &mut Socket) -> Result<u32> {
    let answers = socket.ask(&new(GET_GENERATION, 0, Attributes::of_message(0, 0)))?;
    let answers = answers.map_err(|refusal| {
        refusal
            .into_error("ask the kernel for nf_tables (module nf_tables), which networks need")
            .with_kind(base::Kind::Unsupported)
    })?;
    let found = answers.iter().flat_map(|answer| answered(&answer.body)).find(|(kind, _)| *kind == 1);
    Ok(found.map_or(0, |(_, content)| number(content)))
}

/// Whether the table is there.
///
/// # Errors
/// When the kernel could not be asked.
pub(super) fn exists(socket: &mut Socket, table: &Table) -> Result<bool> {
    let body = Attributes::of_message(table.family, 0).text(1, &table.name);
    Ok(found(socket.ask(&new(GET_TABLE, 0, body))?)?.is_some())
}

/// How many rules each of a few chains has; `None`: it is not there.
///
/// # Errors
/// When the kernel could not be asked.
pub(super) fn rules_in(socket: &mut Socket, chains: &[(Table, &str)]) -> Result<Vec<Option<u32>>> {
    let ask = |(table, chain): &(Table, &str)| {
        new(GET_CHAIN, 0, Attributes::of_message(table.family, 0).text(1, &table.name).text(3, chain))
    };
    let outcomes = socket.ask_each(&chains.iter().map(ask).collect::<Vec<_>>())?;
    outcomes
        .into_iter()
        .map(|outcome| {
            let Some(answers) = found(outcome)? else { return Ok(None) };
            let uses = answers.iter().flat_map(|answer| answered(&answer.body)).find(|(kind, _)| *kind == 6);
            Ok(Some(uses.map_or(0, |(_, content)| number(content))))
        })
        .collect()
}

/// The element at the key of `element`, where it is exact, or over it.
///
/// # Errors
/// When the kernel could not be asked.
pub(super) fn element(socket: &mut Socket, table: &Table, set: &Set, element: &Element) -> Result<Option<Element>> {
    let body = of_elements(table, set, std::iter::once(element.bare()));
    let answers = found(socket.ask(&new(GET_ELEMENT, 0, body))?)?;
    Ok(answers.and_then(|answers| elements_in(&answers.first()?.body).next()))
}

/// All elements of the set; none when it is not there.
///
/// # Errors
/// When the kernel could not be asked.
pub(super) fn elements(socket: &mut Socket, table: &Table, set: &Set) -> Result<Vec<Element>> {
    let body = Attributes::of_message(table.family, 0).text(1, &table.name).text(2, set.name);
    let answers = found(socket.list(&new(GET_ELEMENT, 0, body))?)?.unwrap_or_default();
    Ok(answers.iter().flat_map(|answer| elements_in(&answer.body)).collect())
}

fn elements_in(body: &[u8]) -> impl Iterator<Item = Element> {
    answered(body)
        .filter(|(kind, _)| *kind == 3)
        .flat_map(|(_, list)| attributes_of(list))
        .map(|(_, element)| Element::parse(element))
}

/// What is not there is no error.
pub(super) fn found<T>(answer: std::result::Result<T, Refusal>) -> Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(refusal) if refusal.errno == Errno::NOENT => Ok(None),
        Err(refusal) => Err(refusal.errno.into_error().context("ask for the packet filter")),
    }
}
