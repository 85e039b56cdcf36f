//! Attributes of netfilter's messages: numbers are big-endian, texts end with a zero byte.

/// `NLA_F_NESTED`.
const NESTED: u16 = 0x8000;

/// Attributes, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes(pub(super) Vec<u8>);

impl Attributes {
    /// The body of a message: `struct nfgenmsg` of `family` and `resource`, before any attribute.
    pub(super) fn of_message(family: u8, resource: u16) -> Self {
        let [high, low] = resource.to_be_bytes();
        Self(vec![family, 0, high, low])
    }

    pub(super) fn bytes(mut self, kind: u16, value: &[u8]) -> Self {
        self.put(kind, value);
        self
    }

    pub(super) fn number(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    pub(super) fn text(self, kind: u16, value: &str) -> Self {
        self.bytes(kind, &[value.as_bytes(), &[0]].concat())
    }

    /// `content` must stay below 64 KiB, which the lists of this module are made for.
    pub(super) fn nested(self, kind: u16, content: &Self) -> Self {
        self.bytes(kind | NESTED, &content.0)
    }

    fn put(&mut self, kind: u16, value: &[u8]) {
        let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }
}

/// The big-endian number in `content`; 0 where it is torn.
pub(super) fn number(content: &[u8]) -> u32 {
    content.first_chunk().copied().map_or(0, u32::from_be_bytes)
}

/// The text in `content`, without its zero byte.
pub(super) fn text(content: &[u8]) -> String {
    String::from_utf8_lossy(content.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}
