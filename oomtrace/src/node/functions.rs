//! The functions of a program's file: what `.symtab`, else `.dynsym`, has at an offset. The file is anybody's: it is read in pieces, never
//! mapped (whoever cuts it off would end its reader by SIGBUS), and every number in it is a claim.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use object::elf;
use object::endian::Endianness;
use object::pod::{self, Pod};
use object::read::elf::{FileHeader, NoteIterator, ProgramHeader as _, SectionHeader as _, Sym as _};
use serde::{Deserialize, Serialize};

/// Bytes of a file that is looked at.
const MAX_FILE: u64 = 256 << 20;
/// Program headers, and sections.
const MAX_HEADERS: u16 = 4096;
/// Bytes of notes.
const MAX_NOTES: u64 = 64 << 10;
/// Symbols of one table, more than any browser has.
const MAX_SYMBOLS: u64 = 1_000_000;
/// Symbols that are read at once.
const CHUNK: u64 = 4096;
/// Bytes of a name; one that is longer is none.
const MAX_NAME: usize = 1024;
/// Names that one place is looked at by.
const MAX_ALIASES: usize = 8;
/// Bytes of a build id as the kernel gives it (`BPF_BUILD_ID_SIZE`); a shorter one has zeros behind it (lib/buildid.c, `parse_build_id_buf`).
const BUILD_ID: usize = 20;

/// A function, and a place in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// As the file has it: not demangled.
    pub name: String,
    /// From the function's start, in bytes.
    pub offset: u64,
}

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// From the file's start, in bytes.
    pub offset: u64,
    /// It is where a call returns to, which may be behind the function that called.
    pub is_return: bool,
}

/// The functions at `places` of `file`, one answer for each; none of another file than that with `build_id` (40 hexadecimal digits).
///
/// # Errors
/// When the file is no ELF file for this machine's byte order, is another build, is too large, or is damaged.
pub fn functions(file: &File, build_id: &str, places: &[Place]) -> io::Result<Vec<Option<Function>>> {
    if file.metadata()?.len() > MAX_FILE {
        return Err(damaged("too large"));
    }
    // What both begin with is in the smaller one.
    let start = read(file, 0, size_of::<elf::FileHeader32<Endianness>>() as u64)?;
    match one::<elf::FileHeader32<Endianness>>(&start)?.e_ident.class {
        elf::ELFCLASS64 => Program::<elf::FileHeader64<Endianness>>::open(file)?.functions(build_id, places),
        elf::ELFCLASS32 => Program::<elf::FileHeader32<Endianness>>::open(file)?.functions(build_id, places),
        _ => Err(damaged("no ELF file")),
    }
}

/// An ELF file's headers.
struct Program<'a, Elf: FileHeader> {
    file: &'a File,
    endian: Elf::Endian,
    segments: Vec<Elf::ProgramHeader>,
    sections: Vec<Elf::SectionHeader>,
}

impl<'a, Elf: FileHeader<Endian = Endianness>> Program<'a, Elf> {
    fn open(file: &'a File) -> io::Result<Self> {
        let header: Elf = *one(&read(file, 0, size_of::<Elf>() as u64)?)?;
        if !header.is_supported() {
            return Err(damaged("no ELF file"));
        }
        let endian = header.endian().map_err(damaged)?;
        if endian != Endianness::default() {
            return Err(damaged("another byte order"));
        }
        let (segments, sections) = (header.e_phnum(endian), header.e_shnum(endian));
        let sizes = (header.e_phentsize(endian), header.e_shentsize(endian));
        let is_whole = |count: u16, size: u16, own: usize| count == 0 || usize::from(size) == own;
        if !is_whole(segments, sizes.0, size_of::<Elf::ProgramHeader>())
            || !is_whole(sections, sizes.1, size_of::<Elf::SectionHeader>())
            || segments.max(sections) > MAX_HEADERS
        {
            return Err(damaged("headers of another form"));
        }
        Ok(Self {
            file,
            endian,
            segments: table(file, header.e_phoff(endian).into(), segments.into())?,
            sections: table(file, header.e_shoff(endian).into(), sections.into())?,
        })
    }

    fn functions(&self, build_id: &str, places: &[Place]) -> io::Result<Vec<Option<Function>>> {
        if self.build_id().as_deref() != Some(build_id) {
            return Err(damaged("another build"));
        }
        let mut found: Vec<Found> = places.iter().map(|place| self.address(*place)).collect();
        for kind in [elf::SHT_SYMTAB, elf::SHT_DYNSYM] {
            let is_table = |section: &&Elf::SectionHeader| section.sh_type(self.endian) == kind;
            let Some(symbols) = self.sections.iter().find(is_table) else { continue };
            let Some(names) = self.sections.get(symbols.sh_link(self.endian) as usize) else { continue };
            self.look_up(symbols, names, &mut found)?;
        }
        Ok(found.into_iter().map(|found| found.function).collect())
    }

    /// The build id in hexadecimal digits, as the kernel gives it.
    fn build_id(&self) -> Option<String> {
        let notes = self.segments.iter().filter(|segment| segment.p_type(self.endian) == elf::PT_NOTE);
        notes.filter(|notes| number(notes.p_filesz(self.endian)) <= MAX_NOTES).find_map(|segment| {
            let endian = self.endian;
            let notes = read(self.file, segment.p_offset(endian).into(), segment.p_filesz(endian).into()).ok()?;
            let mut notes = NoteIterator::<Elf>::new(endian, segment.p_align(endian), &notes).ok()?;
            while let Ok(Some(note)) = notes.next() {
                if note.name() == elf::ELF_NOTE_GNU && note.n_type(endian) == elf::NT_GNU_BUILD_ID {
                    let id = note.desc().iter().copied().chain(std::iter::repeat(0)).take(BUILD_ID);
                    return (note.desc().len() <= BUILD_ID)
                        .then(|| id.fold(String::new(), |id, byte| id + &format!("{byte:02x}")));
                }
            }
            None
        })
    }

    /// Where a place lies once the file is loaded.
    fn address(&self, Place { offset, is_return }: Place) -> Found {
        let mut loaded = self.segments.iter().filter(|segment| segment.p_type(self.endian) == elf::PT_LOAD);
        let address = loaded.find_map(|segment| {
            let (start, size) = (number(segment.p_offset(self.endian)), number(segment.p_filesz(self.endian)));
            let within = offset.checked_sub(start).filter(|within| *within < size)?;
            number(segment.p_vaddr(self.endian)).checked_add(within)
        });
        let back = u64::from(is_return);
        Found { address: address.and_then(|address| address.checked_sub(back)), back, function: None }
    }

    /// Names what no table before has named.
    fn look_up(&self, symbols: &Elf::SectionHeader, names: &Elf::SectionHeader, found: &mut [Found]) -> io::Result<()> {
        let endian = self.endian;
        let size = size_of::<Elf::Sym>() as u64;
        let count = number(symbols.sh_size(endian)) / size;
        if number(symbols.sh_entsize(endian)) != size || count > MAX_SYMBOLS {
            return Err(damaged("symbols of another form"));
        }
        let mut nearest: Vec<Nearest> = found.iter().map(|_| Nearest::default()).collect();
        let mut at = 0;
        while at < count {
            let some = CHUNK.min(count - at);
            let offset = number(symbols.sh_offset(endian)).checked_add(at * size).ok_or_else(|| damaged("offset"))?;
            for symbol in table::<Elf::Sym>(self.file, offset, some)? {
                let is_function = matches!(symbol.st_type(), elf::STT_FUNC | elf::STT_GNU_IFUNC);
                if !is_function || symbol.is_undefined(endian) {
                    continue;
                }
                let (start, size) = (number(symbol.st_value(endian)), number(symbol.st_size(endian)));
                for (found, nearest) in found.iter().zip(&mut nearest).filter(|(found, _)| found.function.is_none()) {
                    if let Some(within) = found.address.and_then(|address| address.checked_sub(start))
                        && within < size
                    {
                        nearest.take(within, symbol.st_name(endian));
                    }
                }
            }
            at += some;
        }
        for (found, nearest) in found.iter_mut().zip(nearest) {
            let aliases = nearest.names.iter().filter_map(|name| self.name(names, *name));
            // `malloc` rather than `__libc_malloc`.
            let best = aliases.min_by_key(|name| (name.len() - name.trim_start_matches('_').len(), name.len()));
            if let Some(name) = best {
                found.function = Some(Function { name, offset: nearest.within + found.back });
            }
        }
        Ok(())
    }

    fn name(&self, names: &Elf::SectionHeader, at: u32) -> Option<String> {
        let size = number(names.sh_size(self.endian));
        let left = size.checked_sub(at.into())?.min(MAX_NAME as u64 + 1);
        let bytes = read(self.file, number(names.sh_offset(self.endian)).checked_add(at.into())?, left).ok()?;
        let end = bytes.iter().position(|byte| *byte == 0)?;
        let name = bytes.get(..end).filter(|name| !name.is_empty())?;
        Some(String::from_utf8_lossy(name).into_owned())
    }
}

/// A place that is looked for.
struct Found {
    /// None: it is not loaded.
    address: Option<u64>,
    /// How far back from the place that is.
    back: u64,
    function: Option<Function>,
}

/// The symbols that start last before a place and reach over it.
#[derive(Default)]
struct Nearest {
    within: u64,
    /// Where their names are in the table of names.
    names: Vec<u32>,
}

impl Nearest {
    fn take(&mut self, within: u64, name: u32) {
        if self.names.is_empty() || within < self.within {
            (self.within, self.names) = (within, vec![name]);
        } else if within == self.within && self.names.len() < MAX_ALIASES {
            self.names.push(name);
        }
    }
}

/// A field of either width.
fn number(field: impl Into<u64>) -> u64 {
    field.into()
}

/// `len` bytes at `offset`; whoever asks has bounded them.
fn read(file: &File, offset: u64, len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(len).map_err(damaged)?];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}

fn table<T: Pod>(file: &File, offset: u64, count: u64) -> io::Result<Vec<T>> {
    let bytes = read(file, offset, count * size_of::<T>() as u64)?;
    Ok(pod::slice_from_all_bytes(&bytes).map_err(|()| damaged("cut off"))?.to_vec())
}

fn one<T: Pod>(bytes: &[u8]) -> io::Result<&T> {
    pod::from_bytes(bytes).map(|(one, _)| one).map_err(|()| damaged("cut off"))
}

fn damaged(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests;
