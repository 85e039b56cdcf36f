//! Which containers a list shows.

use std::collections::BTreeMap;

use base::digest::Digest;
use base::id::Id;
use base::time::Timestamp;
use base::{Error, Result};
use regex_lite::Regex;

use super::list::Summary;
use super::status::Status;
use crate::events::has_label;
use crate::plan::ports;

/// Filters by key; several values of one key: any of them (labels: all of them).
///
/// Keys: `id`, `name`, `label`, `status`, `exited`, `ancestor`, `before`, `since`, `volume`, `network`, `publish`, `expose`, `health`,
/// `is-task`; for a prune `label`, `label!`, `until`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Key → values.
    pub values: BTreeMap<String, Vec<String>>,
}

/// Which containers to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListRequest {
    /// Also those that do not run.
    pub all: bool,
    /// Only the last so many made, in any state.
    pub limit: Option<usize>,
    /// Whether sizes are counted, which walks all files.
    pub size: bool,
    /// Only what passes.
    pub filter: Filter,
}

impl Filter {
    /// The values of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> &[String] {
        self.values.get(key).map_or(&[], Vec::as_slice)
    }

    /// Refuses keys that are not in `known`.
    ///
    /// # Errors
    /// `Invalid` in Docker's words.
    pub fn check_keys(&self, known: &[&str]) -> Result<()> {
        match self.values.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(Error::invalid(format!("invalid filter '{key}'"))),
            None => Ok(()),
        }
    }

    /// Whether `labels` has all that `label` asks for and nothing of `label!`.
    #[must_use]
    pub fn labels_pass(&self, labels: &BTreeMap<String, String>) -> bool {
        self.get("label").iter().all(|wanted| has_label(labels, wanted))
            && !self.get("label!").iter().any(|unwanted| has_label(labels, unwanted))
    }

    /// The value of a key that is true or false; `None` where it is not given.
    ///
    /// # Errors
    /// `Invalid` for several values or another one.
    pub fn truth(&self, key: &str) -> Result<Option<bool>> {
        match self.get(key) {
            [] => Ok(None),
            [one] => match one.to_ascii_lowercase().as_str() {
                "1" | "t" | "true" => Ok(Some(true)),
                "0" | "f" | "false" => Ok(Some(false)),
                _ => Err(Error::invalid(format!("invalid filter '{key}={one}'"))),
            },
            _ => Err(Error::invalid(format!("invalid filter '{key}': more than one value"))),
        }
    }

    /// The point in time that `until` names: RFC 3339, seconds since the epoch, or a duration before now.
    ///
    /// # Errors
    /// `Invalid` for several values or something else.
    pub fn until(&self, now: Timestamp) -> Result<Option<Timestamp>> {
        match self.get("until") {
            [] => Ok(None),
            [one] => Timestamp::parse_near(one, now).map(Some),
            _ => Err(Error::invalid("more than one until filter specified")),
        }
    }
}

/// The keys of a list.
const KEYS: &[&str] = &[
    "ancestor",
    "before",
    "expose",
    "exited",
    "health",
    "id",
    "is-task",
    "isolation",
    "label",
    "name",
    "network",
    "publish",
    "since",
    "status",
    "volume",
];

/// A filter ready to be asked.
#[derive(Debug)]
pub(crate) struct Matcher<'a> {
    filter: &'a Filter,
    statuses: Vec<Status>,
    exit_codes: Vec<i32>,
    ids: Vec<Regex>,
    names: Vec<Regex>,
    ancestors: Vec<Digest>,
    before: Option<Timestamp>,
    since: Option<Timestamp>,
    running_only: bool,
}

/// What a filter has to look up elsewhere.
pub(crate) trait Lookup {
    /// When the container was made.
    fn created(&self, container: &str) -> Result<Timestamp>;
    /// The id of the image, where there is one.
    fn image_id(&self, image: &str) -> Option<Digest>;
}

impl<'a> Matcher<'a> {
    /// # Errors
    /// `Invalid` for an unknown key or value, `NotFound` for a container that is named and missing.
    pub(crate) fn new(request: &'a ListRequest, lookup: &dyn Lookup) -> Result<Self> {
        let filter = &request.filter;
        filter.check_keys(KEYS)?;
        let status = |text: &String| {
            Status::parse(text).ok_or_else(|| Error::invalid(format!("invalid filter 'status={text}'")))
        };
        let code = |text: &String| {
            text.parse().map_err(|_| Error::invalid(format!("invalid filter 'exited={text}': use a number")))
        };
        for value in filter.get("health") {
            if !["none", "starting", "healthy", "unhealthy"].contains(&value.as_str()) {
                return Err(Error::invalid(format!("unrecognised filter value for health: {value}")));
            }
        }
        let moment = |key: &str| filter.get(key).last().map(|name| lookup.created(name)).transpose();
        Ok(Self {
            filter,
            statuses: filter.get("status").iter().map(status).collect::<Result<_>>()?,
            exit_codes: filter.get("exited").iter().map(code).collect::<Result<_>>()?,
            ids: patterns(filter.get("id"))?,
            names: patterns(filter.get("name"))?,
            ancestors: filter.get("ancestor").iter().filter_map(|image| lookup.image_id(image)).collect(),
            before: moment("before")?,
            since: moment("since")?,
            running_only: !request.all && request.limit.is_none() && filter.get("status").is_empty(),
        })
    }

    /// What can be decided from the id alone, before anything is read.
    pub(crate) fn may_match(&self, id: &Id) -> bool {
        self.ids.is_empty() || self.ids.iter().any(|pattern| pattern.is_match(id.as_str()))
    }

    pub(crate) fn matches(&self, container: &Summary) -> bool {
        let filter = self.filter;
        let given = |key: &str, test: &dyn Fn(&str) -> bool| {
            let values = filter.get(key);
            values.is_empty() || values.iter().any(|value| test(value))
        };
        let exited = container.status == Status::Exited && !container.finished.is_zero();
        let named =
            |pattern: &Regex| pattern.is_match(&container.name) || pattern.is_match(&format!("/{}", container.name));
        (!self.running_only || container.status.is_alive())
            && (self.statuses.is_empty() || self.statuses.contains(&container.status))
            && (self.exit_codes.is_empty() || exited && self.exit_codes.contains(&container.exit_code))
            && (self.names.is_empty() || self.names.iter().any(named))
            && (filter.get("ancestor").is_empty()
                || self.ancestors.iter().any(|id| id.to_string() == container.image_id))
            && self.before.is_none_or(|time| container.created < time)
            && self.since.is_none_or(|time| container.created > time)
            && filter.labels_pass(&container.labels)
            && given("volume", &|value| {
                container
                    .mounts
                    .iter()
                    .any(|mount| mount.name == value || mount.destination == value || mount.source == value)
            })
            && given("network", &|value| {
                let networks = container.networks.iter();
                networks.into_iter().any(|(name, endpoint)| {
                    name == value || Id::is_prefix(value) && endpoint.network_id.starts_with(value)
                })
            })
            && given("expose", &|value| has_port(&container.exposed_ports, value))
            && given("publish", &|value| has_port(&container.published_ports, value))
            && given("health", &|value| value == "none")
            && given("is-task", &|value| matches!(value, "false" | "0"))
    }
}

/// `values` as expressions; what is none stands for itself.
///
/// # Errors
/// `Invalid` for what is too large.
pub(crate) fn patterns(values: &[String]) -> Result<Vec<Regex>> {
    let pattern = |value: &String| Regex::new(value).or_else(|_| Regex::new(&regex_lite::escape(value)));
    values
        .iter()
        .map(|value| pattern(value).map_err(|error| Error::invalid(format!("invalid filter {value:?}: {error}"))))
        .collect()
}

/// Whether one of `ports` (`80/tcp`, `8000-8010/udp`) is among `wanted` (`80`, `80-90`, `80/udp`).
fn has_port(ports: &[String], wanted: &str) -> bool {
    let Ok((wanted, protocol)) = ports::parse(wanted) else { return false };
    ports.iter().filter_map(|port| ports::parse(port).ok()).any(|(own, own_protocol)| {
        own_protocol == protocol && own.start() <= wanted.end() && wanted.start() <= own.end()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::NetworkEndpoint;

    struct Fixed;

    impl Lookup for Fixed {
        fn created(&self, _container: &str) -> Result<Timestamp> {
            Ok(Timestamp::from_unix(1000, 0))
        }

        fn image_id(&self, image: &str) -> Option<Digest> {
            (image == "debian").then(|| Digest::sha256(b"debian"))
        }
    }

    fn container() -> Summary {
        Summary {
            id: Id::random().unwrap(),
            name: "web".to_owned(),
            image: "debian".to_owned(),
            image_id: Digest::sha256(b"debian").to_string(),
            command: vec!["sh".to_owned()],
            created: Timestamp::from_unix(2000, 0),
            status: Status::Exited,
            exit_code: 3,
            started: Timestamp::from_unix(2001, 0),
            finished: Timestamp::from_unix(2002, 0),
            labels: [("tier".to_owned(), "front".to_owned())].into(),
            network_mode: "none".to_owned(),
            mounts: Vec::new(),
            networks: [("none".to_owned(), NetworkEndpoint { network_id: "ab12".to_owned(), ..Default::default() })]
                .into(),
            ports: Vec::new(),
            exposed_ports: vec!["80/tcp".to_owned()],
            published_ports: vec!["8000-8010/udp".to_owned()],
            size_writable: None,
            size_root: None,
        }
    }

    #[test]
    fn one_filter_at_a_time() {
        let table = [
            ("name", "web", true),
            ("name", "^w", true),
            ("name", "^/web$", true),
            ("name", "db", false),
            ("label", "tier", true),
            ("label", "tier=back", false),
            ("status", "exited", true),
            ("status", "running", false),
            ("exited", "3", true),
            ("exited", "0", false),
            ("ancestor", "debian", true),
            ("ancestor", "alpine", false),
            ("since", "x", true),
            ("before", "x", false),
            ("network", "none", true),
            ("network", "host", false),
            ("network", "ab", true),
            ("network", "b1", false),
            ("publish", "8005/udp", true),
            ("publish", "8005", false),
            ("publish", "7990-8000/udp", true),
            ("expose", "79-81", true),
            ("expose", "80/udp", false),
            ("health", "none", true),
            ("health", "healthy", false),
            ("volume", "data", false),
        ];
        for (key, value, expected) in table {
            let filter = Filter { values: [(key.to_owned(), vec![value.to_owned()])].into() };
            let request = ListRequest { all: true, filter, ..ListRequest::default() };
            assert_eq!(Matcher::new(&request, &Fixed).unwrap().matches(&container()), expected, "{key}={value}");
        }
    }

    #[test]
    fn only_running_ones_unless_asked() {
        assert!(!Matcher::new(&ListRequest::default(), &Fixed).unwrap().matches(&container()));
        let last = ListRequest { limit: Some(1), ..ListRequest::default() };
        assert!(Matcher::new(&last, &Fixed).unwrap().matches(&container()));
    }

    #[test]
    fn wrong_filters_are_refused() {
        for (key, value) in [("nonsense", "x"), ("status", "asleep"), ("exited", "x"), ("health", "fine")] {
            let filter = Filter { values: [(key.to_owned(), vec![value.to_owned()])].into() };
            let request = ListRequest { filter, ..ListRequest::default() };
            assert!(Matcher::new(&request, &Fixed).is_err(), "{key}={value}");
        }
    }
}
