//! Brings elements of our sets to what they should be, whoever else changes them.

use std::collections::{BTreeMap, BTreeSet};

use base::Result;
use rustix::io::Errno;

use super::Firewall;
use super::nftables::{self, Batch, Outcome, Table};
use super::ruleset::Place;
use super::set::{Element, Set, Shape, Type, Value};
use crate::netlink::Socket;

/// An element, and where it belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) place: Place,
    pub(super) set: Set,
    pub(super) element: Element,
}

impl Entry {
    /// An element that only has a key.
    pub(super) fn key(place: Place, set: Set, key: Value) -> Self {
        Self { place, set, element: Element { key, ..Element::default() } }
    }

    /// The same with an owner.
    pub(super) fn of(mut self, owner: &str) -> Self {
        self.element.owner = Some(owner.to_owned());
        self
    }
}

/// A change of the packet filter by others lets ours begin again, so often.
const ATTEMPTS: usize = 1000;

impl Firewall {
    /// Tries what `prepare` puts into a batch until nobody was in between.
    ///
    /// # Errors
    /// Those of `prepare`; when the kernel refuses the batch; `Unavailable` when others change the packet filter without end.
    pub(super) fn settle(
        &self,
        action: &str,
        mut prepare: impl FnMut(&mut Socket, &mut Batch) -> Result<()>,
    ) -> Result<()> {
        self.with_socket(|socket| {
            let mut outcome = Outcome::Overtaken;
            for _ in 0..ATTEMPTS {
                let generation = nftables::generation(socket)?;
                let mut batch = Batch::default();
                prepare(socket, &mut batch)?;
                outcome = batch.commit(socket, Some(generation))?;
                if !matches!(outcome, Outcome::Overtaken) {
                    break;
                }
            }
            outcome.into_result(action)
        })
    }

    /// Puts into `batch` what brings in each of `wanted` in place of what is there.
    pub(super) fn replace(&self, socket: &mut Socket, batch: &mut Batch, wanted: &[Entry]) -> Result<()> {
        for (place, set, elements) in groups(wanted) {
            let mut old = BTreeSet::new();
            let mut new = Vec::new();
            let present = Present::look(socket, &place.table(&self.tag), (&set, &elements))?;
            for element in elements {
                let there = present.at(&set, element);
                if there != [element] {
                    old.extend(there);
                    new.push(element);
                }
            }
            batch.remove(&place.table(&self.tag), &set, &Vec::from_iter(old));
            batch.add(&place.table(&self.tag), &set, &new);
        }
        Ok(())
    }

    /// Puts into `batch` what removes those of `unwanted` that are there and have the same owner.
    pub(super) fn withdraw(&self, socket: &mut Socket, batch: &mut Batch, unwanted: &[Entry]) -> Result<()> {
        for (place, set, mut elements) in groups(unwanted) {
            let present = Present::look(socket, &place.table(&self.tag), (&set, &elements))?;
            elements.retain(|element| {
                let is_it = |there: &&Element| {
                    there.key == element.key && there.end == element.end && there.owner == element.owner
                };
                present.at(&set, element).iter().any(is_it)
            });
            batch.remove(&place.table(&self.tag), &set, &elements);
        }
        Ok(())
    }

    pub(super) fn add_all(&self, batch: &mut Batch, entries: &[Entry]) {
        for (place, set, elements) in groups(entries) {
            batch.add(&place.table(&self.tag), &set, &elements);
        }
    }

    pub(super) fn remove_all(&self, batch: &mut Batch, entries: &[Entry]) {
        for (place, set, elements) in groups(entries) {
            batch.remove(&place.table(&self.tag), &set, &elements);
        }
    }
}

/// So many elements are asked for one by one; where there are more, the set is listed.
const SINGLY: usize = 64;

/// What a set has, as far as it concerns some elements.
struct Present(BTreeMap<Value, Element>);

impl Present {
    fn look(socket: &mut Socket, table: &Table, (set, elements): (&Set, &[&Element])) -> Result<Self> {
        let mut present = Vec::new();
        if set.shape == Shape::Ranges || elements.len() > SINGLY {
            present = nftables::elements(socket, table, set)?;
        } else {
            for element in elements {
                present.extend(nftables::element(socket, table, set, element)?);
            }
        }
        Ok(Self(present.into_iter().map(|element| (element.key.clone(), element)).collect()))
    }

    /// What is where `element` would be.
    fn at(&self, set: &Set, element: &Element) -> Vec<&Element> {
        match set.shape {
            Shape::Exact => self.0.get(&element.key).into_iter().collect(),
            Shape::Ranges => self.0.values().filter(|other| overlap(set.key, other, element)).collect(),
        }
    }
}

/// The entries by set, in the order in which the sets come first.
fn groups(entries: &[Entry]) -> Vec<(Place, Set, Vec<&Element>)> {
    let mut groups: Vec<(Place, Set, Vec<&Element>)> = Vec::new();
    for entry in entries {
        match groups.iter_mut().find(|(place, set, _)| *place == entry.place && set.name == entry.set.name) {
            Some((_, _, elements)) => elements.push(&entry.element),
            None => groups.push((entry.place, entry.set, vec![&entry.element])),
        }
    }
    groups
}

/// Whether two ranges have a key together: each part of one begins before the other's ends.
fn overlap(parts: &[Type], one: &Element, other: &Element) -> bool {
    let end_of = |element: &Element| element.end.clone().unwrap_or_else(|| element.key.clone()).0;
    let (one_end, other_end) = (end_of(one), end_of(other));
    let mut start = 0;
    parts.iter().all(|part| {
        let place = start..start + part.padded();
        start = place.end;
        let below = |low: &[u8], high: &[u8]| low.get(place.clone()) <= high.get(place.clone());
        below(&one.key.0, &other_end) && below(&other.key.0, &one_end)
    })
}

/// Whether an outcome tells that what should be added is there, under this or another owner.
pub(super) fn is_there(outcome: &Outcome) -> bool {
    outcome.errno() == Some(Errno::EXIST)
}
