//! Answers from outside, kept as long as they say, in bounded memory.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::reply::{age, lifetime};
use super::wire::{HEADER, Query, same_question};

/// The most bytes that are kept, with keys and an estimate of what keeping costs.
const BYTES: usize = 192 << 10;
const COST: usize = 160;
/// The most answers.
const ENTRIES: usize = 1024;
/// A single longer answer is not kept.
const LONGEST: usize = 16 << 10;
/// Nothing is kept for longer, whatever it says.
const LONGEST_LIFE: u32 = 3600;

/// The answers. The oldest ones make room for new ones.
#[derive(Debug, Default)]
pub struct Cache {
    entries: BTreeMap<Vec<u8>, Entry>,
    order: BTreeMap<u64, Vec<u8>>,
    serial: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    answer: Vec<u8>,
    since: Instant,
    until: Instant,
    serial: u64,
}

impl Cache {
    /// Keeps `answer`, which was given to `query`, if it may be kept.
    pub fn keep(&mut self, query: &Query, answer: &[u8], now: Instant) {
        let (Some(key), Some(lifetime)) = (query.key(), lifetime(answer)) else { return };
        let question = answer.get(HEADER..HEADER + query.question().len());
        if answer.len() > LONGEST || !question.is_some_and(|question| same_question(question, query.question())) {
            return;
        }
        self.remove(&key);
        self.serial += 1;
        self.bytes += cost(&key, answer);
        let until = now + Duration::from_secs(lifetime.min(LONGEST_LIFE).into());
        self.order.insert(self.serial, key.clone());
        self.entries.insert(key, Entry { answer: answer.to_vec(), since: now, until, serial: self.serial });
        while self.bytes > BYTES || self.entries.len() > ENTRIES {
            let Some((_, oldest)) = self.order.pop_first() else { return };
            self.remove(&oldest);
        }
    }

    /// The answer to `query`, with its own identifier and spelling, and what is left of the times to live.
    pub fn find(&mut self, query: &Query, now: Instant) -> Option<Vec<u8>> {
        let key = query.key()?;
        let entry = self.entries.get(&key)?;
        if entry.until <= now {
            self.remove(&key);
            return None;
        }
        let mut answer = entry.answer.clone();
        age(&mut answer, u32::try_from(now.saturating_duration_since(entry.since).as_secs()).unwrap_or(u32::MAX));
        answer[..2].copy_from_slice(&query.id());
        answer[HEADER..HEADER + query.question().len()].copy_from_slice(query.question());
        Some(answer)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// How many answers there are, and the bytes that they cost.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        (self.entries.len(), self.bytes)
    }

    fn remove(&mut self, key: &[u8]) {
        if let Some(entry) = self.entries.remove(key) {
            self.order.remove(&entry.serial);
            self.bytes -= cost(key, &entry.answer);
        }
    }
}

fn cost(key: &[u8], answer: &[u8]) -> usize {
    2 * key.len() + answer.len() + COST
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A query for the text of a name, and an answer of `length` bytes that lives for a minute.
    fn pair(name: u32, length: u16) -> (Query, Vec<u8>) {
        let label = format!("{name:010}");
        let mut query = [&[0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10][..], label.as_bytes(), &[0, 0, 16, 0, 1]].concat();
        let read = Query::read(&query).unwrap();
        (query[2], query[7]) = (0x81, 1);
        query.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60]);
        query.extend(length.to_be_bytes());
        query.resize(query.len() + usize::from(length), b'x');
        (read, query)
    }

    #[test]
    fn the_oldest_make_room_by_number_and_by_bytes() {
        let now = Instant::now();
        for length in [1, 2000] {
            let mut cache = Cache::default();
            for name in 0..3000 {
                let (query, answer) = pair(name, length);
                cache.keep(&query, &answer, now);
                assert!(cache.size().0 <= ENTRIES && cache.size().1 <= BYTES);
                assert_eq!(cache.find(&query, now), Some(answer));
            }
            assert!(cache.size().0 > BYTES / 4096);
            assert_eq!(cache.find(&pair(0, length).0, now), None);
        }
    }

    #[test]
    fn keeping_again_and_forgetting_leave_nothing_behind() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        let (query, answer) = pair(1, 100);
        for _ in 0..10 {
            cache.keep(&query, &answer, now);
        }
        assert_eq!((cache.entries.len(), cache.order.len()), (1, 1));
        assert_eq!(cache.find(&query, now + Duration::from_secs(60)), None);
        assert_eq!((cache.size(), cache.order.len()), ((0, 0), 0));
    }

    #[test]
    fn what_is_too_long_or_about_something_else_is_not_kept() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        let (query, answer) = pair(1, 20_000);
        cache.keep(&query, &answer, now);
        cache.keep(&query, &pair(2, 1).1, now);
        assert_eq!(cache.size(), (0, 0));
    }
}
