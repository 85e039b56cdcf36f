//! Messages on a TCP connection: each after its length (RFC 1035 §4.2.2). Pure.

/// What was read and not taken yet.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
}

impl Frames {
    /// Adds what was read.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// Length of the first message, as far as that is known.
    #[must_use]
    pub fn announced(&self) -> Option<usize> {
        Some(usize::from(u16::from_be_bytes(*self.bytes.first_chunk()?)))
    }

    /// Takes the first message, if it is whole.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        let end = 2 + self.announced()?;
        let message = self.bytes.get(2..end)?.to_vec();
        self.bytes.drain(..end);
        Some(message)
    }

    /// How many bytes were read and not taken.
    #[must_use]
    pub fn held(&self) -> usize {
        self.bytes.len()
    }
}

/// `message` after its length, cut where it is longer than any may be.
#[must_use]
pub fn framed(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
    let mut bytes = Vec::with_capacity(2 + message.len());
    bytes.extend(length.to_be_bytes());
    bytes.extend(&message[..usize::from(length)]);
    bytes
}
