//! Fields by their options, as text.

use std::sync::LazyLock;

use clap::{Arg, ArgMatches, Args, FromArgMatches};
use serde_json::{Map, Value};

use crate::desired::{FIELDS, Field, FieldKind, PartKind};

/// The options of the fields, in their order.
static LONG: LazyLock<Vec<String>> = LazyLock::new(|| FIELDS.iter().map(|field| field.key.replace('_', "-")).collect());

/// Fields by their options, as text: `--kernel-options "a=1 b !c"`.
#[derive(Debug, Default)]
pub(super) struct Fields(pub(super) Map<String, Value>);

impl FromArgMatches for Fields {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut fields = Self::default();
        fields.update_from_arg_matches(matches)?;
        Ok(fields)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for field in FIELDS {
            if let Some(text) = matches.get_one::<String>(field.key) {
                let value = field
                    .read(text)
                    .map_err(|fault| clap::Error::raw(clap::error::ErrorKind::ValueValidation, format!("{fault}\n")))?;
                self.0.insert(field.key.to_owned(), value);
            }
        }
        Ok(())
    }
}

/// What a field is, its parts, and how it is typed.
fn long_help(field: &Field, long: &str) -> String {
    let entry = field.entries.map_or_else(String::new, |entry| format!("{entry}."));
    let mut text = format!("{}: {entry}KEY=VALUE with blanks between, or JSON\n", field.meaning);
    for part in field.parts {
        match part.kind {
            PartKind::Parts(inner) => {
                for below in inner {
                    text.push_str(&format!("  {entry}{}.{}: {}\n", part.key, below.key, below.meaning));
                }
            }
            PartKind::Json => text.push_str(&format!("  {entry}{} (JSON): {}\n", part.key, part.meaning)),
            PartKind::List => text.push_str(&format!("  {entry}{}: {} (commas between)\n", part.key, part.meaning)),
            _ => text.push_str(&format!("  {entry}{}: {}\n", part.key, part.meaning)),
        }
    }
    if let Some(example) = field.example {
        text.push_str(&format!("e.g. --{long} '{example}'"));
    }
    text
}

impl Args for Fields {
    fn augment_args(mut command: clap::Command) -> clap::Command {
        for (field, long) in FIELDS.iter().zip(LONG.iter()) {
            let form = match field.kind {
                FieldKind::Scalar => "TEXT",
                FieldKind::Map(_) => "k=v …",
                FieldKind::List => "ITEM …",
            };
            let mut arg = Arg::new(field.key)
                .long(long.as_str())
                .value_name(form)
                .help(field.meaning);
            if !field.parts.is_empty() {
                arg = arg.long_help(long_help(field, long));
            }
            command = command.arg(arg);
        }
        command
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::Values;

    #[test]
    fn help_names_every_part_and_its_example_is_well_formed() {
        for field in FIELDS.iter().filter(|field| !field.parts.is_empty()) {
            let text = long_help(field, field.key);
            for part in field.parts {
                assert!(text.contains(part.key), "{}: {text}", part.key);
            }
            let example = field.example.unwrap();
            assert!(text.contains(example), "{text}");
            let value = field.read(example).unwrap();
            Values::check([(field.key.to_owned(), value)].into_iter().collect()).unwrap();
        }
    }
}
