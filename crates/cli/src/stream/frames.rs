//! Docker's multiplexed stream: frames of a header of eight bytes and their content.

use base::{Error, Result};

/// Where the content of a frame belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    /// Standard output; input that is echoed counts as output too.
    Output,
    /// Standard error.
    Error,
}

/// The length of a frame's header.
const HEADER: usize = 8;
/// A frame that claims to be longer comes from something that is not a container.
const LONGEST: usize = 1 << 30;

/// Takes bytes as they come and gives out what is in the frames; never holds more than a header.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    header: [u8; HEADER],
    held: usize,
    remaining: usize,
    channel: Option<Channel>,
}

impl Decoder {
    /// Hands every piece of content in `bytes` to `sink`, in order.
    ///
    /// # Errors
    /// `Corrupt` for a header that no engine sends, `Internal` with the message of an error frame, and what `sink` returns.
    pub(crate) fn push(&mut self, mut bytes: &[u8], mut sink: impl FnMut(Channel, &[u8]) -> Result<()>) -> Result<()> {
        while !bytes.is_empty() {
            if let (Some(channel), true) = (self.channel, self.remaining > 0) {
                let (content, rest) = bytes.split_at(self.remaining.min(bytes.len()));
                self.remaining -= content.len();
                bytes = rest;
                sink(channel, content)?;
                continue;
            }
            let (part, rest) = bytes.split_at((HEADER - self.held).min(bytes.len()));
            self.header[self.held..self.held + part.len()].copy_from_slice(part);
            self.held += part.len();
            bytes = rest;
            if self.held == HEADER {
                self.begin()?;
            }
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<()> {
        let [stream, zeros @ .., a, b, c, d] = self.header;
        self.held = 0;
        self.remaining = u32::from_be_bytes([a, b, c, d]) as usize;
        self.channel = match stream {
            0 | 1 => Some(Channel::Output),
            // 3 carries a message of the engine itself, for the person who watches.
            2 | 3 => Some(Channel::Error),
            _ => None,
        };
        if self.channel.is_none() || zeros != [0, 0, 0] || self.remaining > LONGEST {
            return Err(Error::corrupt("read the container's output: a frame without a valid header"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(stream: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![stream, 0, 0, 0];
        bytes.extend((content.len() as u32).to_be_bytes());
        bytes.extend(content);
        bytes
    }

    fn decode(pieces: &[&[u8]]) -> Result<(Vec<u8>, Vec<u8>)> {
        let mut decoder = Decoder::default();
        let (mut output, mut error) = (Vec::new(), Vec::new());
        for piece in pieces {
            decoder.push(piece, |channel, bytes| {
                match channel {
                    Channel::Output => output.extend(bytes),
                    Channel::Error => error.extend(bytes),
                }
                Ok(())
            })?;
        }
        Ok((output, error))
    }

    #[test]
    fn any_cut_gives_the_same() {
        let stream = [frame(1, b"out"), frame(2, b"error"), frame(1, b""), frame(1, b"put")].concat();
        for size in 1..=stream.len() {
            let pieces: Vec<&[u8]> = stream.chunks(size).collect();
            assert_eq!(decode(&pieces).unwrap(), (b"output".to_vec(), b"error".to_vec()), "pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for bytes in [&b"hello world"[..], &[1, 0, 1, 0, 0, 0, 0, 1, 0], &[1, 0, 0, 0, 0xff, 0, 0, 0]] {
            assert!(decode(&[bytes]).is_err(), "{bytes:?}");
        }
    }
}
