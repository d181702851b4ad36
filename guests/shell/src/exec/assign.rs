//! Assignments.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::ast::{Assign, AssignValue, Bytes, Word};
use crate::flow::Run;
use crate::shell::{Frame, Shell};
use crate::vars::Value;

impl Shell {
    pub(super) fn assign_for_good(&mut self, assigns: &[Assign], exported: bool) -> Run<()> {
        for assign in assigns {
            self.assign(assign)?;
            if exported || self.options.allexport() {
                Rc::make_mut(&mut self.vars).entry(&assign.name).exported = true;
            }
            self.trace_assignment(assign);
        }
        Ok(())
    }

    /// Assigns and exports; what was there before is kept in `hidden`.
    pub(super) fn assign_for_now(&mut self, assigns: &[Assign], hidden: &mut Frame) -> Run<()> {
        for assign in assigns {
            hidden.push((assign.name.clone(), self.vars.get(&assign.name).cloned()));
            self.assign(assign)?;
            Rc::make_mut(&mut self.vars).entry(&assign.name).exported = true;
        }
        Ok(())
    }

    /// Carries one assignment out.
    pub fn assign(&mut self, assign: &Assign) -> Run<()> {
        match &assign.value {
            AssignValue::Scalar(word) => {
                let value = self.expand_text(word)?;
                self.assign_text(assign, value)
            }
            AssignValue::Array(items) => self.assign_array(&assign.name, items, assign.append),
        }
    }

    fn assign_text(&mut self, assign: &Assign, value: Bytes) -> Run<()> {
        let name = &assign.name;
        match &assign.index {
            Some(index) => {
                let index = self.index_of(name, index)?;
                let value = match self.element(name, &index) {
                    Some(old) if assign.append => [old, value].concat(),
                    _ => value,
                };
                self.set_element(name, &index, value)
            }
            None if assign.append && self.vars.get(name).is_some_and(|var| var.integer) => {
                let old = self.get(name).unwrap_or_default().into_owned();
                let sum = self
                    .arithmetic(&old)?
                    .wrapping_add(self.arithmetic(&value)?);
                self.set(name, sum.to_string().into_bytes())
            }
            None if assign.append => {
                let old = self.get(name).unwrap_or_default().into_owned();
                self.set(name, [old, value].concat())
            }
            None => self.set(name, value),
        }
    }

    /// `name=(…)`
    fn assign_array(
        &mut self,
        name: &[u8],
        items: &[(Option<Word>, Word)],
        append: bool,
    ) -> Run<()> {
        let old = self.vars.get(name).and_then(|var| var.value.clone());
        if let Some(Value::Map(old)) = old {
            let mut map = if append { old } else { BTreeMap::new() };
            for (key, word) in items {
                let Some(key) = key else {
                    return self.fail("associative array needs [key]=value");
                };
                let key = self.expand_text(key)?;
                let value = self.expand_text(word)?;
                map.insert(key, value);
            }
            self.writable(name)?.value = Some(Value::Map(map));
            return Ok(());
        }
        let mut array = match old {
            Some(Value::Array(old)) if append => old,
            Some(Value::Text(old)) if append => [(0, old)].into(),
            _ => BTreeMap::new(),
        };
        let mut next = array.keys().next_back().map_or(0, |last| last + 1);
        for (index, word) in items {
            let values = match index {
                Some(index) => {
                    let text = self.expand_text(index)?;
                    next = self.arithmetic(&text)?;
                    if next < 0 {
                        return self.fail("bad array subscript");
                    }
                    vec![self.expand_text(word)?]
                }
                None => self.expand_words(std::slice::from_ref(word))?,
            };
            for value in values {
                array.insert(next, value);
                next = next.saturating_add(1);
            }
        }
        self.writable(name)?.value = Some(Value::Array(array));
        Ok(())
    }
}
