//! The archive format that Linux unpacks as its first root file system, cpio's `newc`: see
//! `Documentation/driver-api/early-userspace/buffer-format.rst` in the kernel's source.
//!
//! Deliberately lacks compression, for an emulated processor would have to undo it, and reading.

const DIRECTORY: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

/// An archive that grows. A folder has to be added before what is in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cpio {
    bytes: Vec<u8>,
    entries: u32,
}

impl Cpio {
    pub(crate) fn folder(&mut self, path: &str) {
        self.add(path, DIRECTORY | 0o755, 0, &[]);
    }

    /// Python takes a compiled module for stale when its source's time of change differs, so that is kept.
    pub(crate) fn file(&mut self, path: &str, permissions: u32, modified: u32, content: &[u8]) {
        self.add(path, FILE | permissions, modified, content);
    }

    pub(crate) fn link(&mut self, path: &str, target: &str) {
        self.add(path, LINK | 0o777, 0, target.as_bytes());
    }

    /// The archive, with the entry that ends it.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.add("TRAILER!!!", 0, 0, &[]);
        self.bytes
    }

    fn add(&mut self, path: &str, mode: u32, modified: u32, content: &[u8]) {
        let path = path.trim_start_matches('/');
        self.entries += 1;
        let size = u32::try_from(content.len()).expect("the format has no files of 4 GiB");
        let name_size = u32::try_from(path.len() + 1).expect("a path is short");
        // Inode, mode, user, group, links, time, size, four device numbers, size of the name, checksum.
        let fields = [self.entries, mode, 0, 0, 1, modified, size, 0, 0, 0, 0, name_size, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_an_archive() {
        let mut cpio = Cpio::default();
        cpio.folder("/a");
        cpio.file("a/b", 0o644, 0x5f00_0001, b"hello");
        cpio.link("c", "a/b");
        let expected = [
            "070701",
            "00000001000041ed0000000000000000000000010000000000000000",
            "000000000000000000000000000000000000000200000000",
            "a\0",
            "070701",
            "00000002000081a4000000000000000000000001",
            "5f00000100000005",
            "000000000000000000000000000000000000000400000000",
            "a/b\0\0\0hello\0\0\0",
            "070701",
            "000000030000a1ff0000000000000000000000010000000000000003",
            "000000000000000000000000000000000000000200000000",
            "c\0a/b\0",
            "070701",
            "0000000400000000000000000000000000000001",
            "0000000000000000",
            "000000000000000000000000000000000000000b00000000",
            "TRAILER!!!\0\0\0\0",
        ];
        let bytes = cpio.finish();
        assert_eq!(String::from_utf8_lossy(&bytes), expected.concat());
        assert_eq!(bytes.len() % 4, 0);
    }
}
