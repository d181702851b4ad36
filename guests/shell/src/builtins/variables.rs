//! `export`, `readonly`, `local`, `declare`, `unset`.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::ast::{Assign, AssignValue, Bytes, Part, Word};
use crate::flow::{Run, USAGE};
use crate::shell::Shell;
use crate::text;
use crate::vars::{Value, Var};

/// What `export`, `readonly` and `declare` give to variables, or take away.
#[derive(Clone, Copy, Debug, Default)]
struct Attributes {
    exported: Option<bool>,
    readonly: bool,
    integer: bool,
    array: bool,
    map: bool,
    local: bool,
}

/// `name` or `name=value` operands, and assignments that the parser has seen.
fn operands(shell: &mut Shell, words: &[Bytes]) -> Run<Vec<(Bytes, Option<Assign>)>> {
    let mut all = Vec::new();
    for word in words {
        let (name, value) = match word.iter().position(|&byte| byte == b'=') {
            Some(at) => (word[..at].to_vec(), Some(word[at + 1..].to_vec())),
            None => (word.clone(), None),
        };
        let (name, append) = match name.strip_suffix(b"+") {
            Some(bare) if value.is_some() => (bare.to_vec(), true),
            _ => (name, false),
        };
        if !text::is_name(&name) {
            return shell.fail(&format!("{}: bad variable name", text::lossy(&name)));
        }
        let assign = value.map(|value| Assign {
            name: name.clone(),
            index: None,
            append,
            value: AssignValue::Scalar(Word(vec![Part::Quoted(value)])),
        });
        all.push((name, assign));
    }
    let declared = std::mem::take(&mut shell.declared);
    all.extend(
        declared
            .into_iter()
            .map(|assign| (assign.name.clone(), Some(assign))),
    );
    Ok(all)
}

fn apply(
    shell: &mut Shell,
    name: &[u8],
    assign: Option<&Assign>,
    attributes: Attributes,
) -> Run<()> {
    if attributes.local && shell.localise(name) {
        let old = shell.vars.get(name).cloned();
        let vars = Rc::make_mut(&mut shell.vars);
        // A local variable begins without a value; what is exported or readonly stays so.
        let fresh = match old {
            Some(old) if old.readonly => old,
            Some(old) if assign.is_none() && !shell.bash => old,
            Some(old) => Var {
                exported: old.exported,
                ..Var::default()
            },
            None => Var::default(),
        };
        vars.0.insert(name.to_vec(), fresh);
    }
    if attributes.array || attributes.map || attributes.integer {
        let var = shell.writable(name)?;
        var.integer |= attributes.integer;
        match (&var.value, attributes.map) {
            (Some(Value::Map(_)), true) | (Some(Value::Array(_)), false) => {}
            (_, true) => var.value = Some(Value::Map(BTreeMap::new())),
            (Some(Value::Text(text)), false) if attributes.array => {
                var.value = Some(Value::Array([(0, text.clone())].into()))
            }
            (None, false) if attributes.array => var.value = Some(Value::Array(BTreeMap::new())),
            _ => {}
        }
    }
    if let Some(assign) = assign {
        shell.assign(assign)?;
    }
    let var = Rc::make_mut(&mut shell.vars).entry(name);
    var.exported = attributes.exported.unwrap_or(var.exported);
    var.readonly |= attributes.readonly;
    Ok(())
}

/// `export` and `readonly`.
pub(super) fn export(shell: &mut Shell, args: &[Bytes]) -> Run {
    let readonly = args[0] == b"readonly";
    let Some((flags, words)) = super::options(shell, args, "pnfaA") else {
        return Ok(USAGE);
    };
    let has = |wanted: u8| flags.iter().any(|&(letter, _)| letter == wanted);
    if words.is_empty() && shell.declared.is_empty() {
        let wanted: fn(&Var) -> bool = if readonly {
            |var| var.readonly
        } else {
            |var| var.exported
        };
        return print(shell, &args[0], wanted);
    }
    if has(b'f') {
        return Ok(0);
    }
    let attributes = Attributes {
        exported: (!readonly).then_some(!has(b'n')),
        readonly,
        array: has(b'a'),
        map: has(b'A'),
        ..Attributes::default()
    };
    for (name, assign) in operands(shell, words)? {
        apply(shell, &name, assign.as_ref(), attributes)?;
    }
    Ok(0)
}

/// `declare`, `typeset`, `local`.
pub(super) fn declare(shell: &mut Shell, args: &[Bytes]) -> Run {
    let local = args[0] == b"local";
    if local && shell.frames.is_empty() {
        return shell.fail("local: not in a function");
    }
    // `+x` takes an attribute away.
    let (minus, plus): (Vec<Bytes>, Vec<Bytes>) = args
        .iter()
        .cloned()
        .partition(|arg| !(arg.len() == 2 && arg[0] == b'+'));
    let Some((flags, words)) = super::options(shell, &minus, "xriaAgpfFlunt") else {
        return Ok(USAGE);
    };
    let has = |wanted: u8| flags.iter().any(|&(letter, _)| letter == wanted);
    if has(b'f') || has(b'F') {
        let missing = words.iter().any(|name| !shell.functions.contains_key(name));
        return Ok(i32::from(missing));
    }
    if has(b'p') || (words.is_empty() && shell.declared.is_empty()) {
        return show(shell, words);
    }
    let attributes = Attributes {
        exported: if plus.iter().any(|flag| flag == b"+x") {
            Some(false)
        } else {
            has(b'x').then_some(true)
        },
        readonly: has(b'r'),
        integer: has(b'i'),
        array: has(b'a'),
        map: has(b'A'),
        local: !has(b'g'),
    };
    for (name, assign) in operands(shell, words)? {
        apply(shell, &name, assign.as_ref(), attributes)?;
    }
    Ok(0)
}

/// Lines that would make the variables again.
fn print(shell: &mut Shell, command: &[u8], wanted: fn(&Var) -> bool) -> Run {
    let mut out = Bytes::new();
    for (name, var) in shell.vars.0.iter().filter(|(_, var)| wanted(var)) {
        out.extend_from_slice(command);
        out.push(b' ');
        out.extend_from_slice(name);
        if let Some(value) = var.text() {
            out.push(b'=');
            out.extend(text::quoted(value));
        }
        out.push(b'\n');
    }
    shell.print(&text::lossy(command), &out)
}

/// `declare -p`
fn show(shell: &mut Shell, names: &[Bytes]) -> Run {
    let mut out = Bytes::new();
    let mut status = 0;
    let all: Vec<Bytes> = if names.is_empty() {
        shell.vars.0.keys().cloned().collect()
    } else {
        names.to_vec()
    };
    for name in &all {
        match shell.vars.get(name) {
            Some(var) => show_one(name, var, &mut out),
            None => {
                shell.complain(&format!("declare: {}: not found", text::lossy(name)));
                status = 1;
            }
        }
    }
    shell.print("declare", &out)?;
    Ok(status)
}

fn show_one(name: &[u8], var: &Var, out: &mut Bytes) {
    let mut flags = String::new();
    match var.value {
        Some(Value::Array(_)) => flags.push('a'),
        Some(Value::Map(_)) => flags.push('A'),
        _ => {}
    }
    for (on, letter) in [(var.integer, 'i'), (var.readonly, 'r'), (var.exported, 'x')] {
        if on {
            flags.push(letter);
        }
    }
    if flags.is_empty() {
        flags.push('-');
    }
    out.extend(format!("declare -{flags} ").bytes());
    out.extend_from_slice(name);
    let quoted = |text: &[u8]| -> Bytes {
        let mut quoted = vec![b'"'];
        for &byte in text {
            if matches!(byte, b'"' | b'\\' | b'$' | b'`') {
                quoted.push(b'\\');
            }
            quoted.push(byte);
        }
        quoted.push(b'"');
        quoted
    };
    let items: Vec<Bytes> = match &var.value {
        Some(Value::Text(text)) => {
            out.push(b'=');
            out.extend(quoted(text));
            out.push(b'\n');
            return;
        }
        Some(Value::Array(items)) => items
            .iter()
            .map(|(key, text)| [format!("[{key}]=").as_bytes(), &quoted(text)].concat())
            .collect(),
        Some(Value::Map(items)) => items
            .iter()
            .map(|(key, text)| [b"[", key.as_slice(), b"]=", &quoted(text)].concat())
            .collect(),
        None => {
            out.push(b'\n');
            return;
        }
    };
    out.extend_from_slice(b"=(");
    out.extend(items.join(&b' '));
    out.extend_from_slice(b")\n");
}

pub(super) fn unset(shell: &mut Shell, args: &[Bytes]) -> Run {
    let Some((flags, names)) = super::options(shell, args, "vfn") else {
        return shell.fail("unset: bad option");
    };
    let functions = flags.iter().any(|&(letter, _)| letter == b'f');
    let variables = flags.iter().any(|&(letter, _)| letter == b'v');
    for name in names {
        if functions {
            Rc::make_mut(&mut shell.functions).remove(name);
            continue;
        }
        if let Some((array, index)) = subscript(name) {
            unset_element(shell, &array, &index)?;
            continue;
        }
        if !text::is_name(name) {
            return shell.fail(&format!("unset: {}: bad variable name", text::lossy(name)));
        }
        if shell.vars.get(name).is_some_and(|var| var.readonly) {
            return shell.fail(&format!("unset: {}: is read only", text::lossy(name)));
        }
        let known = Rc::make_mut(&mut shell.vars).0.remove(name).is_some();
        if !known && !variables && shell.bash {
            Rc::make_mut(&mut shell.functions).remove(name);
        }
    }
    Ok(0)
}

fn subscript(name: &[u8]) -> Option<(Bytes, Bytes)> {
    let open = name.iter().position(|&byte| byte == b'[')?;
    let index = name[open + 1..].strip_suffix(b"]")?;
    text::is_name(&name[..open]).then(|| (name[..open].to_vec(), index.to_vec()))
}

fn unset_element(shell: &mut Shell, array: &[u8], index: &[u8]) -> Run<()> {
    let is_map = matches!(
        shell.vars.get(array).and_then(|var| var.value.as_ref()),
        Some(Value::Map(_))
    );
    let number = if is_map { 0 } else { shell.arithmetic(index)? };
    match &mut shell.writable(array)?.value {
        Some(Value::Map(items)) => {
            items.remove(index);
        }
        Some(Value::Array(items)) => {
            items.remove(&number);
        }
        _ => {}
    }
    Ok(())
}
