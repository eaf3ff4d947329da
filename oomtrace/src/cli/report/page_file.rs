//! The page in a file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::libc;

/// Writes it for its owner alone: command lines are in it. What is there already is replaced, whoever could read that, once the page is
/// whole; a link is not followed.
///
/// # Errors
/// When there is something else than a file, such as a link or a pipe, or the directory cannot be written to.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        // It keeps nothing: /dev/null.
        Ok(metadata) if metadata.file_type().is_char_device() => return to_device(path, text),
        Ok(metadata) if !metadata.is_file() => {
            let why = "it is a link, a pipe or something else than a file; without -o the page goes to standard output";
            return Err(io::Error::new(ErrorKind::InvalidInput, why));
        }
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(_) | Err(_) => {}
    }
    let beside = beside(path)?;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    let written = fill(file, text).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // The first error is the one to be said.
        _ = fs::remove_file(&beside);
    }
    written
}

/// A name in the same directory that nobody has: `.page.html.4711`.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let own = path.file_name().ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "it names no file"))?;
    let mut name = std::ffi::OsString::from(".");
    name.push(own);
    name.push(format!(".{}", std::process::id()));
    Ok(path.with_file_name(name))
}

fn fill(mut file: File, text: &str) -> io::Result<()> {
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn to_device(path: &Path, text: &str) -> io::Result<()> {
    let flags = libc::O_NOFOLLOW | libc::O_NOCTTY;
    OpenOptions::new().write(true).custom_flags(flags).open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn it_is_its_owners_alone_whoever_could_read_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("page.html");
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        write(&path, "one").unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), mode()), ("one", 0o600));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        // Whoever has the old one open does not read the new one.
        let old = File::open(&path).unwrap();
        write(&path, "two").unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), mode()), ("two", 0o600));
        assert_eq!(io::read_to_string(old).unwrap(), "one");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_file_is_left_and_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let (fifo, link, file) = (dir.path().join("fifo"), dir.path().join("link"), dir.path().join("file"));
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        fs::write(&file, "kept").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        for path in [fifo.as_path(), &link, dir.path(), &dir.path().join("none/page.html"), Path::new("..")] {
            assert!(write(path, "x").is_err(), "{}", path.display());
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "kept");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
        write(Path::new("/dev/null"), "x").unwrap();
    }
}
