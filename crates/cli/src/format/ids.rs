//! How ids and digests are shown.

/// How much of an id is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ids {
    /// Twelve digits.
    Short,
    Whole,
}

impl Ids {
    /// The id; a short one has no algorithm in front. What is no id (`<missing>`) stays as it is.
    pub(crate) fn show(self, id: &str) -> String {
        if self == Self::Whole {
            return id.to_owned();
        }
        let digits = id.split_once(':').map_or(id, |(_, digits)| digits);
        digits.chars().take(12).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_cut() {
        for (id, short) in [
            ("sha256:0123456789abcdef", "0123456789ab"),
            ("0123456789abcdef", "0123456789ab"),
            ("<missing>", "<missing>"),
        ] {
            assert_eq!(Ids::Short.show(id), short);
            assert_eq!(Ids::Whole.show(id), id);
        }
    }
}
