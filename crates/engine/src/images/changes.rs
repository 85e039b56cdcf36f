//! Dockerfile instructions that shape the configuration of an image without running anything: `import --change`.
//!
//! Those that need a build (`RUN`, `COPY`, `FROM`) are refused.

mod words;

use base::{Error, Result};
use oci::config::{Empty, Execution, Healthcheck};

use self::words::{Quoting, Words};
use crate::plan::signals;

/// Ports of one range; more are a mistake.
const RANGE_LIMIT: usize = 4096;

/// The execution parameters that these instructions make, in their order.
///
/// # Errors
/// `Invalid`, naming the instruction that is not understood.
pub(super) fn apply(changes: &[String]) -> Result<Execution> {
    let mut execution = Execution::default();
    for change in changes.iter().flat_map(|change| change.lines()).map(str::trim) {
        if change.is_empty() || change.starts_with('#') {
            continue;
        }
        one(&mut execution, change).map_err(|error| error.context(format!("change {change:?}")))?;
    }
    Ok(execution)
}

fn one(execution: &mut Execution, change: &str) -> Result<()> {
    let (instruction, rest) = change.split_once(char::is_whitespace).unwrap_or((change, ""));
    let (instruction, rest) = (instruction.to_ascii_uppercase(), rest.trim());
    if rest.is_empty() {
        return Err(Error::invalid(format!("{instruction} requires an argument")));
    }
    let words = Words::new(&execution.env);
    match instruction.as_str() {
        "CMD" => execution.cmd = Some(command(rest)),
        "ENTRYPOINT" => execution.entrypoint = Some(command(rest)),
        "ENV" => {
            for (name, value) in pairs(&words, rest)? {
                let prefix = format!("{name}=");
                execution.env.retain(|entry| !entry.starts_with(&prefix));
                execution.env.push(format!("{name}={value}"));
            }
        }
        "LABEL" => execution.labels.extend(pairs(&words, rest)?),
        "EXPOSE" => {
            for word in words.split(rest, Quoting::Remove)? {
                execution.exposed_ports.extend(ports(&word)?.into_iter().map(|port| (port, Empty {})));
            }
        }
        "VOLUME" => {
            let paths = match json(rest) {
                Some(paths) => paths,
                None => words.split(rest, Quoting::Remove)?,
            };
            if paths.iter().any(|path| path.trim().is_empty()) {
                return Err(Error::invalid("VOLUME specified can not be an empty string"));
            }
            execution.volumes.extend(paths.into_iter().map(|path| (path, Empty {})));
        }
        "USER" => execution.user = single(&words, rest)?,
        "WORKDIR" => {
            let path = words.expand(rest)?;
            execution.working_dir = join(&execution.working_dir, &path);
        }
        "STOPSIGNAL" => {
            let signal = single(&words, rest)?;
            signals::parse(&signal)?;
            execution.stop_signal = signal;
        }
        "HEALTHCHECK" => execution.healthcheck = Some(healthcheck(rest)?),
        "ONBUILD" => execution.on_build.push(rest.to_owned()),
        "SHELL" => execution.shell = json(rest).ok_or_else(|| Error::invalid("SHELL requires a JSON array"))?,
        _ => {
            return Err(Error::invalid(format!(
                "{instruction} is not a valid change command: use CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, SHELL, \
                 STOPSIGNAL, USER, VOLUME or WORKDIR"
            )));
        }
    }
    Ok(())
}

/// The exec form, or a shell around the other one.
fn command(text: &str) -> Vec<String> {
    json(text).unwrap_or_else(|| vec!["/bin/sh".to_owned(), "-c".to_owned(), text.to_owned()])
}

fn json(text: &str) -> Option<Vec<String>> {
    serde_json::from_str(text).ok()
}

fn single(words: &Words<'_>, text: &str) -> Result<String> {
    let mut all = words.split(text, Quoting::Remove)?;
    match (all.pop(), all.is_empty()) {
        (Some(only), true) => Ok(only),
        _ => Err(Error::invalid("requires exactly one argument")),
    }
}

/// `NAME=value …`, or the old form of one name and the rest of the line.
fn pairs(words: &Words<'_>, text: &str) -> Result<Vec<(String, String)>> {
    let all = words.split(text, Quoting::Keep)?;
    if !all.first().is_some_and(|first| first.contains('=')) {
        let (name, value) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        if value.trim().is_empty() {
            return Err(Error::invalid(format!("{name} has no value: write {name}=value")));
        }
        return Ok(vec![(words.expand(name)?, words.expand(value.trim())?)]);
    }
    all.iter()
        .map(|word| {
            let (name, value) = word
                .split_once('=')
                .filter(|(name, _)| !name.is_empty())
                .ok_or_else(|| Error::invalid(format!("{word:?} is no NAME=value: quote a value that has spaces")))?;
            Ok((words.expand(name)?, words.expand(value)?))
        })
        .collect()
}

/// `80`, `80/udp`, `8000-8010/tcp`, as `port/protocol` each.
fn ports(text: &str) -> Result<Vec<String>> {
    let invalid = || Error::invalid(format!("invalid containerPort: {text}"));
    let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(Error::invalid(format!("invalid proto: {protocol}")));
    }
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let (first, last): (u16, u16) = (first.parse().map_err(|_| invalid())?, last.parse().map_err(|_| invalid())?);
    if first == 0 || first > last || usize::from(last - first) >= RANGE_LIMIT {
        return Err(invalid());
    }
    Ok((first..=last).map(|port| format!("{port}/{protocol}")).collect())
}

/// A relative path is below the working directory so far.
fn join(current: &str, path: &str) -> String {
    let current = if current.is_empty() { "/" } else { current };
    let whole = if path.starts_with('/') { path.to_owned() } else { format!("{current}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn healthcheck(text: &str) -> Result<Healthcheck> {
    let mut check = Healthcheck::default();
    let mut rest = text;
    while let Some(option) = rest.strip_prefix("--") {
        let (option, after) = option.split_once(char::is_whitespace).unwrap_or((option, ""));
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let nanoseconds = || -> Result<i64> {
            let duration = base::duration::parse_go(value)?;
            i64::try_from(duration.as_nanos()).map_err(|_| Error::invalid(format!("--{name} is too long")))
        };
        match name {
            "interval" => check.interval = nanoseconds()?,
            "timeout" => check.timeout = nanoseconds()?,
            "start-period" => check.start_period = nanoseconds()?,
            "start-interval" => check.start_interval = nanoseconds()?,
            "retries" => {
                check.retries = value.parse().map_err(|_| Error::invalid(format!("--retries={value} is no number")))?;
            }
            _ => return Err(Error::invalid(format!("unknown flag: --{name}"))),
        }
        rest = after.trim_start();
    }
    let (kind, arguments) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let arguments = arguments.trim();
    check.test = match kind.to_ascii_uppercase().as_str() {
        "NONE" if arguments.is_empty() => vec!["NONE".to_owned()],
        "CMD" if !arguments.is_empty() => match json(arguments) {
            Some(words) => [vec!["CMD".to_owned()], words].concat(),
            None => vec!["CMD-SHELL".to_owned(), arguments.to_owned()],
        },
        _ => return Err(Error::invalid("HEALTHCHECK is NONE, or CMD and a command")),
    };
    Ok(check)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply_all(changes: &[&str]) -> Result<Execution> {
        apply(&changes.iter().map(|change| (*change).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn instructions_shape_the_configuration() {
        let execution = apply_all(&[
            r#"CMD ["nginx", "-g", "daemon off;"]"#,
            "entrypoint exec \"$0\"",
            "ENV A=1 B='two words' C=\"$A-${B}\"",
            "ENV OLD the old form",
            "ENV A=3",
            "LABEL tier=front \"quoted key\"=x",
            "EXPOSE 80 53/UDP 8000-8002",
            "VOLUME /data /logs",
            "VOLUME [\"/more\"]",
            "USER www:www",
            "WORKDIR /srv",
            "WORKDIR app/../www",
            "STOPSIGNAL SIGQUIT",
            "HEALTHCHECK --interval=5s --retries=3 CMD curl localhost",
            "ONBUILD RUN make",
        ])
        .unwrap();
        assert_eq!(execution.cmd.unwrap(), ["nginx", "-g", "daemon off;"]);
        assert_eq!(execution.entrypoint.unwrap(), ["/bin/sh", "-c", "exec \"$0\""]);
        assert_eq!(execution.env, ["B=two words", "C=-", "OLD=the old form", "A=3"]);
        assert_eq!(execution.labels["quoted key"], "x");
        let ports: Vec<_> = execution.exposed_ports.keys().map(String::as_str).collect();
        assert_eq!(ports, ["53/udp", "80/tcp", "8000/tcp", "8001/tcp", "8002/tcp"]);
        assert_eq!(execution.volumes.keys().collect::<Vec<_>>(), ["/data", "/logs", "/more"]);
        assert_eq!((execution.user.as_str(), execution.working_dir.as_str()), ("www:www", "/srv/www"));
        assert_eq!(execution.stop_signal, "SIGQUIT");
        let check = execution.healthcheck.unwrap();
        assert_eq!((check.interval, check.retries), (5_000_000_000, 3));
        assert_eq!(check.test, ["CMD-SHELL", "curl localhost"]);
        assert_eq!(execution.on_build, ["RUN make"]);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for change in [
            "RUN make",
            "CMD",
            "ENV A",
            "ENV A=1 B",
            "ENV A='open",
            "EXPOSE http",
            "EXPOSE 0",
            "EXPOSE 9-1",
            "EXPOSE 80/icmp",
            "STOPSIGNAL SIGNONE",
            "USER a b",
            "HEALTHCHECK curl",
            "HEALTHCHECK --often CMD true",
            "VOLUME [\"\"]",
            "ENV A=${B:-c}",
        ] {
            let error = apply_all(&[change]).unwrap_err();
            assert_eq!(error.kind(), base::Kind::Invalid, "{change}: {error}");
            assert!(error.to_string().contains(change.split(' ').next().unwrap()), "{error}");
        }
    }
}
