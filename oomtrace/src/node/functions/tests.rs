//! This program's own file, the C library's, and what is made of them by who means harm.

use std::io::Write as _;
use std::path::Path;

use super::*;
use crate::node::mappings::{Mapped, mapped};

fn at(offset: u64, is_return: bool) -> Place {
    Place { offset, is_return }
}

/// Where a function is in its file.
fn place_of(address: u64) -> Mapped {
    mapped(Path::new("/proc"), std::process::id(), &[address]).remove(0).unwrap()
}

fn id_of(file: &File) -> String {
    Program::<elf::FileHeader64<Endianness>>::open(file).unwrap().build_id().unwrap()
}

#[inline(never)]
extern "C" fn a_function_that_is_looked_for(number: u64) -> u64 {
    std::hint::black_box(number).wrapping_mul(7)
}

#[test]
fn a_place_has_its_function_where_the_file_is_the_very_build() {
    let own = place_of(a_function_that_is_looked_for as *const () as u64);
    let file = File::open(&own.file).unwrap();
    let id = id_of(&file);
    // With its debug information this program may be larger than what is looked at.
    let program = Program::<elf::FileHeader64<Endianness>>::open(&file).unwrap();
    let found = program.functions(&id, &[at(own.offset, false), at(own.offset + 1, true), at(0, false)]).unwrap();
    for (found, offset) in found.iter().take(2).zip([0, 1]) {
        let found = found.as_ref().unwrap();
        assert!(found.name.contains("a_function_that_is_looked_for") && found.offset == offset, "{found:?}");
    }
    assert_eq!(found[2], None, "the file's header is no function's");
    let other = format!("{}00", &id[..38]);
    assert!(program.functions(&other, &[at(own.offset, false)]).is_err());
}

#[test]
fn a_library_without_symtab_has_what_it_exports() {
    let malloc = place_of(nix::libc::malloc as *const () as u64);
    let file = File::open(&malloc.file).unwrap();
    let found = functions(&file, &id_of(&file), &[at(malloc.offset + 2, false)]).unwrap();
    assert_eq!(found, [Some(Function { name: "malloc".to_owned(), offset: 2 })]);
}

#[test]
fn a_file_that_lies_costs_no_more_than_an_error() {
    let malloc = place_of(nix::libc::malloc as *const () as u64);
    let file = File::open(&malloc.file).unwrap();
    let (id, whole) = (id_of(&file), std::fs::read(&malloc.file).unwrap());
    let places = [at(malloc.offset, false), at(u64::MAX, true), at(0, true)];
    let mut made = tempfile::tempfile().unwrap();
    made.write_all(&whole).unwrap();
    assert!(functions(&made, &id, &places).unwrap()[0].is_some());
    // Every byte of the header, and some of the first segments and of the sections, as 0, as 255 and with its highest bit changed.
    let sections = usize::try_from(u64::from_le_bytes(whole[40..48].try_into().unwrap())).unwrap();
    let mut changed: Vec<usize> = (4..64).chain((64..64 + 56 * 12).step_by(7)).collect();
    changed.extend((sections..whole.len().min(sections + 64 * 80)).step_by(37));
    for place in changed {
        for value in [0, 255, whole[place] ^ 0x80] {
            made.write_all_at(&[value], place as u64).unwrap();
            _ = functions(&made, &id, &places);
        }
        made.write_all_at(&whole[place..=place], place as u64).unwrap();
    }
    assert!(functions(&made, &id, &places).unwrap()[0].is_some());
    for len in [whole.len() / 2, 4096, 1000, 65, 64, 63, 5, 1, 0] {
        made.set_len(len as u64).unwrap();
        assert!(functions(&made, &id, &places).is_err(), "{len}");
    }
    made.set_len(MAX_FILE + 1).unwrap();
    assert!(functions(&made, &id, &places).is_err());
}
