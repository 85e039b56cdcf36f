//! Volumes.

use engine::volumes::VolumeRecord;

use crate::types::Volume;

pub(crate) fn volume(record: VolumeRecord) -> Volume {
    Volume {
        created_at: record.created.rfc3339_nano(),
        driver: record.driver,
        labels: (!record.labels.is_empty()).then_some(record.labels),
        mountpoint: record.mountpoint.display().to_string(),
        name: record.name,
        options: (!record.options.is_empty()).then_some(record.options),
        scope: "local".to_owned(),
        usage_data: None,
    }
}
