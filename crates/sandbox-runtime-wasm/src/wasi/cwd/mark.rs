//! Marking a program with where it keeps its working directory.

use std::borrow::Cow;
use std::ops::Range;

use wasmparser::{BinaryReaderError, Parser, Payload, TypeRef};

use super::habit::Habit;
use super::{ABSOLUTE, GIVEN, Paths};

const GLOBAL_SECTION: u8 = 6;
const EXPORT_SECTION: u8 = 7;
const GLOBAL_EXPORT: u8 = 3;

/// The core module `wasm` with one export more, by which [`enter`](super::enter) finds where it
/// keeps its working directory; unchanged where it keeps none.
///
/// # Errors
/// For a module that is malformed.
pub(crate) fn mark(wasm: &[u8]) -> Result<Cow<'_, [u8]>, BinaryReaderError> {
    let habit = Habit::of(wasm)?;
    let name = match habit {
        Habit {
            paths: Paths::Absolute,
            ..
        } => ABSOLUTE,
        Habit {
            variable: Some(_), ..
        } => GIVEN,
        Habit { variable: None, .. } => return Ok(wasm.into()),
    };
    let Some(sections) = Sections::of(wasm)? else {
        return Ok(wasm.into());
    };
    Ok(sections
        .with(wasm, name, habit.variable.unwrap_or(0))
        .into())
}

/// The sections of a module.
#[derive(Debug, Default)]
struct Sections {
    all: Vec<(u8, Range<usize>)>,
    /// How many globals there are, imported ones included.
    globals: u32,
}

impl Sections {
    /// `None` for a module that has no globals or exports of its own, or such an export already:
    /// no linker makes it so.
    fn of(wasm: &[u8]) -> Result<Option<Self>, BinaryReaderError> {
        let mut sections = Self::default();
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload?;
            if let Some((id, range)) = payload.as_section() {
                sections.all.push((id, range));
            }
            match payload {
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        if let TypeRef::Global(_) = import?.ty {
                            sections.globals += 1;
                        }
                    }
                }
                Payload::GlobalSection(globals) => sections.globals += globals.count(),
                Payload::ExportSection(exports) => {
                    for export in exports {
                        if [ABSOLUTE, GIVEN].contains(&export?.name) {
                            return Ok(None);
                        }
                    }
                }
                _ => {}
            }
        }
        let has = |wanted| sections.all.iter().any(|(id, _)| *id == wanted);
        let whole = has(GLOBAL_SECTION) && has(EXPORT_SECTION);
        Ok(whole.then_some(sections))
    }

    /// The module with a constant global of `value`, exported as `name`.
    fn with(&self, wasm: &[u8], name: &str, value: u32) -> Vec<u8> {
        let mut global = vec![0x7F, 0x00, 0x41];
        signed(&mut global, value as i32);
        global.push(0x0B);
        let mut export = Vec::new();
        unsigned(&mut export, name.len() as u32);
        export.extend_from_slice(name.as_bytes());
        export.push(GLOBAL_EXPORT);
        unsigned(&mut export, self.globals);

        let mut marked = wasm[..8].to_vec();
        for (id, range) in &self.all {
            let content = &wasm[range.clone()];
            let content = match *id {
                GLOBAL_SECTION => one_more(content, &global),
                EXPORT_SECTION => one_more(content, &export),
                _ => content.into(),
            };
            marked.push(*id);
            unsigned(&mut marked, content.len() as u32);
            marked.extend_from_slice(&content);
        }
        marked
    }
}

/// A section's content, a count and so many items, with one item more.
fn one_more<'a>(content: &'a [u8], item: &[u8]) -> Cow<'a, [u8]> {
    let mut count = 0_u32;
    let mut len = 0;
    for byte in content {
        count |= u32::from(byte & 0x7F) << (7 * len);
        len += 1;
        if byte & 0x80 == 0 || len == 5 {
            break;
        }
    }
    let mut more = Vec::with_capacity(content.len() + item.len() + 1);
    unsigned(&mut more, count + 1);
    more.extend_from_slice(&content[len..]);
    more.extend_from_slice(item);
    more.into()
}

/// Appends a number in LEB128.
fn unsigned(into: &mut Vec<u8>, mut value: u32) {
    loop {
        let byte = (value & 0x7F) as u8;
        value >>= 7;
        if value == 0 {
            into.push(byte);
            return;
        }
        into.push(byte | 0x80);
    }
}

/// Appends a number with its sign in LEB128.
fn signed(into: &mut Vec<u8>, mut value: i32) {
    loop {
        let byte = (value & 0x7F) as u8;
        value >>= 7;
        let sign = byte & 0x40 != 0;
        if (value == 0 && !sign) || (value == -1 && sign) {
            into.push(byte);
            return;
        }
        into.push(byte | 0x80);
    }
}
