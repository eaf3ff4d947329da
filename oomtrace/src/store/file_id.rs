//! Which file was opened. One that was removed or moved stays open, and takes what is written to it, for nobody.

use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// A file, whatever it is called. No other one has the same as long as it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    pub fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    /// The file itself that is at `path` now, a link as well; none when nothing is, or it cannot be looked at.
    pub fn at(path: &Path) -> Option<Self> {
        std::fs::symlink_metadata(path).ok().as_ref().map(Self::of)
    }

    /// At `path`, where links are followed, is another file now, or none. One that cannot be looked at has not been moved, as far as is
    /// known.
    pub fn is_gone_from(self, path: &Path) -> bool {
        match std::fs::metadata(path) {
            Ok(metadata) => Self::of(&metadata) != self,
            Err(error) => matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_moved_removed_or_replaced_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::write(&path, "x").unwrap();
        let file = std::fs::File::open(&path).unwrap();
        let id = FileId::of(&file.metadata().unwrap());
        assert!(!id.is_gone_from(&path) && FileId::at(&path) == Some(id));
        std::fs::rename(&path, &other).unwrap();
        assert!(id.is_gone_from(&path) && !id.is_gone_from(&other) && FileId::at(&path).is_none());
        std::fs::write(&path, "x").unwrap();
        assert!(id.is_gone_from(&path));
        std::os::unix::fs::symlink(&other, dir.path().join("link")).unwrap();
        assert!(!id.is_gone_from(&dir.path().join("link")));
        assert!(id.is_gone_from(&other.join("below")));
    }
}
