//! How a container's output is kept: its driver, sizes, and what every entry is marked with.

use base::Result;

use super::effective;
use crate::containers::record::Record;

/// The log of the container that `record` describes.
///
/// # Errors
/// `Invalid` for an option that is unknown or malformed.
pub(crate) fn options(record: &Record) -> Result<logs::Options> {
    let settings = &record.settings;
    let options = &settings.log.options;
    let tag = options.get("tag").map(|template| fill(template, record));
    logs::Options::parse(&settings.log.driver, options)?.with_attributes(
        options,
        &settings.labels,
        &settings.environment,
        tag,
    )
}

/// Fills in what Docker's tags can name; everything else stays as it is written.
fn fill(template: &str, record: &Record) -> String {
    let image = record.image.id.hex();
    let values = [
        ("ID", record.id.short().to_owned()),
        ("FullID", record.id.to_string()),
        ("Name", record.name.clone()),
        ("ImageID", image[..12].to_owned()),
        ("ImageFullID", record.image.id.to_string()),
        ("ImageName", record.image.name.clone()),
        ("Command", effective::command_line(&record.settings).join(" ")),
        ("DaemonName", "berth".to_owned()),
    ];
    let mut text = template.to_owned();
    for (name, value) in values {
        for notation in [format!("{{{{.{name}}}}}"), format!("{{{{ .{name} }}}}")] {
            text = text.replace(&notation, &value);
        }
    }
    text
}
