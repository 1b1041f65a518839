//! Fields by their options, as text.

use std::sync::LazyLock;

use clap::{Arg, ArgMatches, Args, FromArgMatches};
use serde_json::{Map, Value};

use crate::desired::{FIELDS, FieldKind};

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

impl Args for Fields {
    fn augment_args(mut command: clap::Command) -> clap::Command {
        for (field, long) in FIELDS.iter().zip(LONG.iter()) {
            let form = match field.kind {
                FieldKind::Scalar => "TEXT",
                FieldKind::Map(_) => "k=v …",
                FieldKind::List => "ITEM …",
            };
            command = command.arg(
                Arg::new(field.key)
                    .long(long.as_str())
                    .value_name(form)
                    .help(field.meaning),
            );
        }
        command
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}
