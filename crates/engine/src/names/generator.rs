//! Makes up names: an adjective and the surname of somebody who sailed, built or charted.

/// What people are.
const ADJECTIVES: &[&str] = &[
    "able", "agile", "airy", "alert", "ample", "apt", "balmy", "bold", "brave", "breezy", "bright", "brisk", "buoyant",
    "calm", "candid", "careful", "cheerful", "clear", "clever", "coastal", "cool", "cosy", "crisp", "curious",
    "daring", "dashing", "deft", "dreamy", "eager", "early", "earnest", "easy", "elated", "even", "exact", "fair",
    "faithful", "fearless", "festive", "fine", "firm", "fleet", "fluent", "fond", "frank", "free", "fresh", "frosty",
    "gallant", "gentle", "genuine", "gifted", "glad", "gleaming", "golden", "graceful", "grand", "handy", "happy",
    "hardy", "hearty", "honest", "hopeful", "humble", "jaunty", "jolly", "jovial", "keen", "kind", "lively", "loyal",
    "lucid", "lucky", "lunar", "mellow", "merry", "mild", "mindful", "modest", "neat", "nimble", "noble", "novel",
    "open", "patient", "peaceful", "placid", "plucky", "poised", "polite", "prompt", "proud", "quick", "quiet",
    "radiant", "ready", "robust", "rosy", "round", "salty", "serene", "sharp", "shining", "silver", "sleek", "smart",
    "smooth", "snug", "solid", "sound", "spirited", "spry", "stable", "staunch", "steady", "stellar", "stout",
    "sturdy", "sunny", "sure", "swift", "tender", "thrifty", "tidal", "tidy", "tranquil", "trim", "true", "trusty",
    "upbeat", "upright", "valiant", "vital", "vivid", "warm", "watchful", "wise", "witty", "worthy", "zealous",
    "zesty",
];

/// Navigators, shipwrights, oceanographers, cartographers, instrument makers, lifesavers.
const SURNAMES: &[&str] = &[
    "amundsen",
    "anning",
    "anson",
    "baffin",
    "baker",
    "banks",
    "barents",
    "bartholomew",
    "beaufort",
    "behaim",
    "bering",
    "bligh",
    "bonny",
    "bougainville",
    "bowditch",
    "brunel",
    "cabot",
    "cabral",
    "cartier",
    "carson",
    "champlain",
    "chichester",
    "columbus",
    "cook",
    "cousteau",
    "cunard",
    "dampier",
    "darling",
    "davis",
    "diaz",
    "drake",
    "earhart",
    "earle",
    "ekman",
    "elcano",
    "erikson",
    "evinrude",
    "fitzroy",
    "flinders",
    "forbes",
    "franklin",
    "fremantle",
    "frobisher",
    "fulton",
    "gama",
    "garcia",
    "gerritsz",
    "gilbert",
    "grace",
    "hadley",
    "halley",
    "harrison",
    "heezen",
    "henson",
    "heyerdahl",
    "hooke",
    "hudson",
    "humboldt",
    "jansson",
    "jansz",
    "johansen",
    "keumalahayati",
    "knudsen",
    "kotzebue",
    "larsen",
    "laperouse",
    "leeuwin",
    "lightoller",
    "linnaeus",
    "macarthur",
    "magellan",
    "maury",
    "mawson",
    "mercator",
    "mitchell",
    "moitessier",
    "munk",
    "murray",
    "nansen",
    "nares",
    "noonan",
    "nordenskiold",
    "ortelius",
    "palmer",
    "parry",
    "perry",
    "pettersson",
    "piccard",
    "polo",
    "ptolemy",
    "pytheas",
    "quiros",
    "raleigh",
    "reis",
    "rennell",
    "revelle",
    "ross",
    "sabine",
    "scoresby",
    "scott",
    "shackleton",
    "slocum",
    "smeaton",
    "solander",
    "stevenson",
    "sverdrup",
    "tasman",
    "tharp",
    "thomson",
    "torres",
    "tupaia",
    "vancouver",
    "vespucci",
    "wallis",
    "watt",
    "weddell",
    "wegener",
    "wilkes",
    "worsley",
    "wyville",
    "zacuto",
    "zheng",
];

/// A name out of three random numbers; from the third on, a digit is added, since the plain one was taken.
pub(crate) fn generate(random: [u32; 3], attempt: u32) -> String {
    let pick = |words: &[&'static str], number: u32| words[number as usize % words.len()];
    let (adjective, surname) = (pick(ADJECTIVES, random[0]), pick(SURNAMES, random[1]));
    match attempt {
        0..3 => format!("{adjective}_{surname}"),
        3..8 => format!("{adjective}_{surname}{}", random[2] % 10),
        _ => format!("{adjective}_{surname}{}", random[2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn words_are_names() {
        for word in ADJECTIVES.iter().chain(SURNAMES) {
            assert!(word.bytes().all(|byte| byte.is_ascii_lowercase()) && word.len() > 1, "{word}");
        }
        for words in [ADJECTIVES, SURNAMES] {
            let distinct: BTreeSet<_> = words.iter().collect();
            assert_eq!(distinct.len(), words.len());
        }
    }

    #[test]
    fn later_attempts_have_digits() {
        assert_eq!(generate([0, 0, 7], 0), "able_amundsen");
        assert_eq!(generate([0, 0, 17], 3), "able_amundsen7");
        assert_eq!(
            generate([u32::MAX, u32::MAX, 1234], 9).split_once('_').unwrap().1.trim_start_matches(char::is_alphabetic),
            "1234"
        );
    }
}
