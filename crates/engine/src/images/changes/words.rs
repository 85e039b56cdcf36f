//! Words of an instruction: quotes, backslashes and variables.

use std::iter::Peekable;
use std::str::Chars;

use base::{Error, Result};

/// What becomes of quotes and variables when a line is split.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Quoting {
    /// They are resolved.
    Remove,
    /// They stay, for a later [`Words::expand`].
    Keep,
}

/// Reads words in the light of the variables that are set so far.
pub(super) struct Words<'a> {
    /// `NAME=value` each.
    variables: &'a [String],
}

impl<'a> Words<'a> {
    pub(super) fn new(variables: &'a [String]) -> Self {
        Self { variables }
    }

    /// The words of a line, which white space outside of quotes separates.
    pub(super) fn split(&self, line: &str, quoting: Quoting) -> Result<Vec<String>> {
        let mut words = Vec::new();
        let mut word: Option<String> = None;
        let mut quote: Option<char> = None;
        let mut characters = line.chars();
        while let Some(character) = characters.next() {
            match (character, quote) {
                ('\\', None | Some('"')) => {
                    let word = word.get_or_insert_default();
                    word.push('\\');
                    word.extend(characters.next());
                    continue;
                }
                (character, Some(open)) if character == open => quote = None,
                ('"' | '\'', None) => quote = Some(character),
                (character, None) if character.is_whitespace() => {
                    words.extend(word.take());
                    continue;
                }
                _ => {}
            }
            word.get_or_insert_default().push(character);
        }
        if quote.is_some() {
            return Err(Error::invalid("a quote is not closed"));
        }
        words.extend(word);
        match quoting {
            Quoting::Keep => Ok(words),
            Quoting::Remove => words.iter().map(|word| self.expand(word)).collect(),
        }
    }

    /// The text without its quotes, with its variables replaced.
    pub(super) fn expand(&self, text: &str) -> Result<String> {
        let mut expanded = String::with_capacity(text.len());
        let mut quote: Option<char> = None;
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            match (character, quote) {
                ('\\', None) => expanded.extend(characters.next()),
                ('\\', Some('"')) => match characters.next() {
                    Some(escaped @ ('"' | '$' | '\\')) => expanded.push(escaped),
                    Some(other) => expanded.extend(['\\', other]),
                    None => expanded.push('\\'),
                },
                (character, Some(open)) if character == open => quote = None,
                ('"' | '\'', None) => quote = Some(character),
                ('$', None | Some('"')) => expanded.push_str(&self.variable(&mut characters)?),
                _ => expanded.push(character),
            }
        }
        if quote.is_some() {
            return Err(Error::invalid("a quote is not closed"));
        }
        Ok(expanded)
    }

    /// The value of the variable whose name follows; a dollar sign alone stands for itself.
    fn variable(&self, characters: &mut Peekable<Chars<'_>>) -> Result<String> {
        let is_braced = characters.next_if_eq(&'{').is_some();
        let mut name = String::new();
        while let Some(character) =
            characters.next_if(|character| character.is_ascii_alphanumeric() || *character == '_')
        {
            name.push(character);
        }
        if is_braced && characters.next_if_eq(&'}').is_none() {
            return Err(Error::invalid(format!("${{{name}…}} is not supported: only ${{{name}}} is")));
        }
        if name.is_empty() {
            return Ok(if is_braced { "${}" } else { "$" }.to_owned());
        }
        let value = self.variables.iter().find_map(|entry| entry.strip_prefix(&name)?.strip_prefix('='));
        Ok(value.unwrap_or_default().to_owned())
    }
}
