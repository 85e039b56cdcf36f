//! A container's resolver: what the container asks, and what servers outside answer. No sockets.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use fuzz::{Depth, Target, fuzz};
use network::names::cache::Cache;
use network::names::exchange::{Exchange, RANDOM, SERVERS, Transport, Verdict};
use network::names::frames::{Frames, framed};
use network::names::reply::{Reply, empty, refusal, shorten};
use network::names::wire::{Code, Query, Unreadable, records};

use crate::{shapeless, unchanged};

const WORDS: [&[u8]; 12] = [
    b"\xc0\x0c",
    b"\xc0\x00",
    b"\xff\xff",
    b"\0\0\x29\x04\xd0\0\0\x80\0\0\0",
    b"\x03web\0\0\x01\0\x01",
    b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x01\x02\x03\x04",
    b"\0\x06\0\x01",
    b"\x02..",
    b"\x09../secret",
    b"\x3f",
    b"\0\x01\0\0\0\0\0\0",
    b"\x81\x80",
];

fn is_whole(message: &[u8]) -> bool {
    records(message).is_some_and(|mut records| records.all(|record| record.is_some()))
}

/// Whatever is asked, the answer is whole, fits and is to this query; no name that is looked up can be a path.
#[test]
fn resolver_query() {
    let addresses: Vec<IpAddr> = (0..300_u128).map(|number| IpAddr::from(number.to_be_bytes())).collect();
    fuzz(Target {
        name: "resolver_query",
        dictionary: &WORDS,
        reshape: shapeless,
        repair: unchanged,
        run: &mut |input| {
            let query = match Query::read(input) {
                Ok(query) => query,
                Err(Unreadable::Silent) => return Depth::Refused,
                Err(Unreadable::Answered(code)) => {
                    let answer = refusal(input, code);
                    assert!(answer.len() == 12 && answer[..2] == input[..2]);
                    return Depth::Refused;
                }
            };
            assert_eq!(query.bytes(), input);
            if let Some(name) = query.name() {
                let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.".contains(&byte);
                assert!(name.len() <= 253 && name.bytes().all(allowed));
                assert!(name.split('.').all(|label| (1..=63).contains(&label.len())));
            }
            let limit = query.payload();
            for answer in [
                Reply::new(&query, limit).addresses(&addresses, 0).finish(Code::Fine),
                Reply::new(&query, limit).pointer("web.shop", 0).finish(Code::Fine),
                Reply::new(&query, limit).bad_version(),
                empty(&query, Code::NoSuchName),
            ] {
                assert!(answer.len() <= limit && answer[..2] == input[..2] && is_whole(&answer));
            }
            let sent = Exchange::new(query.clone(), &[0xaa; RANDOM], SERVERS, [true; SERVERS]);
            assert!(Query::read(sent.message()).is_ok_and(|sent| sent.key() == query.key()));
            Depth::Parsed
        },
    });
}

/// A query and then what the servers say in turn, each after its length. What comes of it is whole, to this query, and fits.
#[test]
fn resolver_answer() {
    fuzz(Target {
        name: "resolver_answer",
        dictionary: &WORDS,
        reshape: shapeless,
        repair,
        run: &mut |input| {
            let mut frames = Frames::default();
            frames.feed(input);
            let Some(query) = frames.take().and_then(|bytes| Query::read(&bytes).ok()) else { return Depth::Refused };
            let mut exchange = Exchange::new(query.clone(), &[0; RANDOM], SERVERS, [true, false, true]);
            let (mut server, mut transport, mut answer) = (0, Transport::Datagram, None);
            while let (Some(message), None) = (frames.take(), &answer) {
                match exchange.heard(server, transport, &message) {
                    Verdict::Done(done) => answer = Some(done),
                    Verdict::Stream => {
                        assert_eq!(transport, Transport::Datagram, "TCP is the last resort");
                        transport = Transport::Stream;
                    }
                    Verdict::Wait => (server, transport) = ((server + 1) % SERVERS, Transport::Datagram),
                }
            }
            let heard = answer.is_some();
            let answer = answer.unwrap_or_else(|| exchange.conclude());
            check(&query, answer);
            if heard { Depth::Parsed } else { Depth::Refused }
        },
    });
}

fn check(query: &Query, answer: Vec<u8>) {
    let question = 12..12 + query.question().len();
    assert!(answer[..2] == query.id() && answer[2] & 0x80 != 0 && answer[question.clone()] == *query.question());
    assert!(is_whole(&answer));
    for limit in [512, query.payload()] {
        let short = shorten(answer.clone(), limit);
        assert!(short.len() <= limit && is_whole(&short) && short[question.clone()] == *query.question());
    }
    let (mut cache, now) = (Cache::default(), Instant::now());
    cache.keep(query, &answer, now);
    if let Some(kept) = cache.find(query, now + Duration::from_millis(900)) {
        assert_eq!(kept, answer);
    }
    if let Some(kept) = cache.find(query, now + Duration::from_millis(1100)) {
        assert!(kept.len() == answer.len() && is_whole(&kept));
    }
    assert!(cache.find(query, now + Duration::from_secs(3601)).is_none());
}

/// Makes lengths true again, and lets every message be about the query, or nothing would get past that check.
fn repair(input: &mut Vec<u8>) {
    let mut frames = Frames::default();
    frames.feed(input);
    let mut messages: Vec<_> = std::iter::from_fn(|| frames.take()).collect();
    let mut rest = vec![0; frames.held()];
    rest.copy_from_slice(&input[input.len() - frames.held()..]);
    if let Some((_, bytes)) = rest.split_first_chunk::<2>() {
        messages.push(bytes.to_vec());
    }
    let Some((query, answers)) = messages.split_first_mut() else { return };
    if query.len() >= 12 {
        query[..2].fill(0);
    }
    for answer in answers.iter_mut().filter(|answer| answer.len() >= 12) {
        answer[..2].fill(0);
        answer[2] |= 0x80;
    }
    *input = messages.iter().flat_map(|message| framed(message)).collect();
}
