//! The list of a repository's tags, page by page.

use crate::exchange::{Payload, parse_json};
use crate::repository::{Access, Named, Repository, Request, Server, Target};
use base::{Error, Result};
use serde::Deserialize;
use ureq::http::Method;

/// One page may be this long.
const PAGE_LIMIT_BYTES: u64 = 4 << 20;
/// More tags are not listed.
const TAG_LIMIT: usize = 100_000;
/// As many are asked for at a time.
const PAGE_TAGS: usize = 1000;

#[derive(Deserialize)]
struct Page {
    tags: Option<Vec<String>>,
}

impl Repository<'_> {
    /// All tags of the repository, in the registry's order.
    ///
    /// # Errors
    /// `NotFound` where there is no such repository, `Unauthenticated`, `Denied`, `Unavailable`; `Corrupt` for a list without an end.
    pub fn tags(&self) -> Result<Vec<String>> {
        let what = format!("list the tags of {}", self.name);
        self.pull(Named::ByTag, |server| self.tags_from(server, &what))
    }

    fn tags_from(&self, server: &Server, what: &str) -> Result<Vec<String>> {
        let mut tags: Vec<String> = Vec::new();
        let mut next = None;
        loop {
            let path = format!("tags/list?n={PAGE_TAGS}");
            let request = Request {
                what,
                method: Method::GET,
                target: next.as_ref().map_or(Target::Path(&path), Target::Address),
                headers: &[],
                payload: Payload::None,
                access: Access::Pull,
            };
            let answer = self.send(server, &request)?;
            if !answer.is_success() {
                return Err(answer.refusal(what));
            }
            let following =
                answer.header("link").and_then(next_of).map(|target| answer.url.resolve(target)).transpose()?;
            let bytes = answer.read_bounded(PAGE_LIMIT_BYTES).map_err(|trouble| trouble.error.context(what))?;
            let page: Page = parse_json(what, &bytes)?;
            let found = page.tags.unwrap_or_default();
            let is_empty = found.is_empty();
            tags.extend(found);
            match following {
                Some(url) if !server.is_home(&url) => {
                    return Err(Error::denied(format!(
                        "{what}: the list goes on at another server, {}",
                        url.authority()
                    )));
                }
                Some(_) if is_empty || tags.len() > TAG_LIMIT => {
                    return Err(Error::corrupt(format!("{what}: the list has no end")));
                }
                Some(url) => next = Some(url),
                None => return Ok(tags),
            }
        }
    }
}

/// The target of `<target>; rel="next"` (RFC 8288).
fn next_of(header: &str) -> Option<&str> {
    let (target, parameters) = header.trim().strip_prefix('<')?.split_once('>')?;
    let is_next = parameters.split(';').any(|parameter| matches!(parameter.trim(), "rel=next" | "rel=\"next\""));
    is_next.then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_next_page() {
        for (header, target) in [
            (r#"</v2/a/tags/list?last=x&n=2>; rel="next""#, Some("/v2/a/tags/list?last=x&n=2")),
            ("<https://x/y>;rel=next", Some("https://x/y")),
            (r#"</x>; rel="prev""#, None),
            ("/x; rel=next", None),
            ("", None),
        ] {
            assert_eq!(next_of(header), target);
        }
    }
}
