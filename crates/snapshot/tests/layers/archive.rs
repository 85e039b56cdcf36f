//! Builds archives byte by byte, so that they can lie.

/// An archive under construction.
#[derive(Debug, Default, Clone)]
pub struct Builder(Vec<u8>);

/// One header.
#[derive(Debug, Clone)]
pub struct Header {
    pub path: String,
    pub link: String,
    pub kind: u8,
    pub mode: u32,
    pub owner: u32,
    pub device: (u32, u32),
    /// What the header says of the length, where that is not the truth.
    pub size: Option<u64>,
}

pub fn header(kind: u8, path: &str) -> Header {
    let mode = if kind == b'5' { 0o755 } else { 0o644 };
    Header { path: path.to_owned(), link: String::new(), kind, mode, owner: 0, device: (0, 0), size: None }
}

impl Builder {
    pub fn entry(mut self, header: &Header, data: &[u8]) -> Self {
        let mut block = [0_u8; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, header.path.as_bytes());
        put(100, format!("{:07o}", header.mode).as_bytes());
        put(108, format!("{:07o}", header.owner).as_bytes());
        put(116, format!("{:07o}", header.owner).as_bytes());
        put(124, format!("{:011o}", header.size.unwrap_or(data.len() as u64)).as_bytes());
        put(136, format!("{:011o}", 1_000_000_000).as_bytes());
        put(156, &[header.kind]);
        put(157, header.link.as_bytes());
        put(257, b"ustar\x0000");
        put(329, format!("{:07o}", header.device.0).as_bytes());
        put(337, format!("{:07o}", header.device.1).as_bytes());
        put(148, b"        ");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0.extend_from_slice(&block);
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub fn file(self, path: &str, data: &str) -> Self {
        self.entry(&header(b'0', path), data.as_bytes())
    }

    pub fn directory(self, path: &str, mode: u32) -> Self {
        self.entry(&Header { mode, ..header(b'5', path) }, b"")
    }

    pub fn symlink(self, path: &str, link: &str) -> Self {
        self.entry(&Header { link: link.to_owned(), ..header(b'2', path) }, b"")
    }

    pub fn hard_link(self, path: &str, link: &str) -> Self {
        self.entry(&Header { link: link.to_owned(), ..header(b'1', path) }, b"")
    }

    /// An extended header for the entry that follows.
    pub fn extended(self, records: &[(&str, &[u8])]) -> Self {
        let mut data = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let mut length = rest + 1;
            while rest + length.to_string().len() != length {
                length += 1;
            }
            data.extend_from_slice(format!("{length} {key}=").as_bytes());
            data.extend_from_slice(value);
            data.push(b'\n');
        }
        self.entry(&header(b'x', "PaxHeaders/x"), &data)
    }

    pub fn finish(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        self.0
    }
}
