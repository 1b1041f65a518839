//! Answer files: kickstart, preseed, autoinstall and AutoYaST, made from a host's values.
//!
//! A [`Library`] holds the templates: a site's folder over the ones that come with Muster. [`render_answer`] makes one
//! answer file and says for every line which template it came from; [`check`] says what an installer would refuse.
//! Templates reach the values that they are given and nothing else: no file, no network, no clock.

mod bounds;
mod check;
mod context;
mod encoded;
mod explain;
mod fault;
mod filters;
mod formatter;
mod library;
mod platform;
pub mod sample;
mod search;
mod snippets;
mod vocabulary;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub use check::{Finding, Grade, Ksvalidator, Missing, check, check_with, ksvalidator_version, not_checked};
pub use encoded::{Part, parts};
pub use explain::LineOrigin;
pub use fault::AnswerFault;
pub use library::{Library, LibraryFault, Skipped};
pub use platform::{AnswerKind, Platform};
pub use search::SearchNames;
pub use snippets::{Broken, Snippet, is_snippet_place, snippet_name, try_snippet};

use context::{Context, Notes};

/// What an answer file is made from.
#[derive(Debug, Clone)]
pub struct AnswerInput {
    /// The effective values of the host, merged.
    pub values: Map<String, Value>,
    /// The layer of each value by its dotted path, for example `kernel_options.console` -> `profile web`.
    pub origins: BTreeMap<String, String>,
    /// What Muster knows besides: host, profile, distro, server, install, `install_disk` and so on.
    pub context: Map<String, Value>,
    /// The names by which snippets are looked for.
    pub search: SearchNames,
}

/// A rendered answer file, with where everything in it came from.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The file as the installer gets it. It can hold secrets.
    pub text: String,
    /// Which installer reads it.
    pub kind: AnswerKind,
    /// What is installed: decides which commands are right.
    pub platform: Platform,
    /// The template and line of every line of `text`, in order.
    pub lines: Vec<LineOrigin>,
    /// The values that the templates asked for, by name.
    pub used: Vec<UsedValue>,
    /// Values that are for nobody's eyes, such as password hashes and the install's token; some stand in `text`.
    pub secrets: Vec<String>,
}

/// A value that a template asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsedValue {
    /// The dotted path, for example `kernel_options.console`.
    pub name: String,
    /// The value, cut short; "(set)" for a secret.
    pub value: String,
    /// The layer that gave it: a distro, a profile, the host, or what Muster knows or assumes by itself.
    pub layer: String,
}

/// An answer file without where its lines and values come from.
#[derive(Debug, Clone)]
pub struct PlainAnswer {
    /// As in [`Answer`].
    pub text: String,
    /// As in [`Answer`].
    pub secrets: Vec<String>,
}

/// Makes the same file as [`render_answer`] for nobody who asks where anything in it comes from, in less time.
///
/// # Errors
/// As [`render_answer`].
pub fn render_plain(library: &Library, template: &str, input: AnswerInput) -> Result<PlainAnswer, AnswerFault> {
    let shelf = library.shelf();
    let name = shelf
        .resolve(template)
        .ok_or_else(|| fault::unknown_template(template, shelf.template_names()))?;
    let context = Context::new(input, Notes::None);
    let rendered = shelf
        .environment()
        .get_template(&name)
        .and_then(|template| template.render(context.root()));
    let text = rendered.map_err(|error| fault::explain(&error, &name, &shelf, &context))?;
    if text.len() > bounds::OUTPUT_BYTES {
        return Err(fault::too_large(&name, text.len()));
    }
    Ok(PlainAnswer {
        text: AnswerKind::finish(text).0,
        secrets: context.secrets(),
    })
}

/// Makes the answer file of one host from `template`, such as `redhat/default.ks`.
///
/// # Errors
/// When the template is not there, has a mistake, names something undefined, or does more than a template may. The
/// fault names template, line and place, and never shows a value.
pub fn render_answer(library: &Library, template: &str, input: &AnswerInput) -> Result<Answer, AnswerFault> {
    let shelf = library.shelf();
    let name = shelf
        .resolve(template)
        .ok_or_else(|| fault::unknown_template(template, shelf.template_names()))?;
    let context = Context::new(input.clone(), Notes::Kept);
    let rendered = shelf
        .environment()
        .get_template(&name)
        .and_then(|template| template.render_with_spans(context.root()));
    let (text, spans) = match rendered {
        Ok(rendered) => rendered,
        Err(error) => return Err(fault::explain(&error, &name, &shelf, &context)),
    };
    if text.len() > bounds::OUTPUT_BYTES {
        return Err(fault::too_large(&name, text.len()));
    }
    let kind = AnswerKind::of_template(&name);
    let (text, cut) = AnswerKind::finish(text);
    Ok(Answer {
        lines: explain::line_origins(&text, cut, &spans, &shelf),
        used: context.used(),
        secrets: context.secrets(),
        platform: Platform::of(&input.context, input.search.family),
        kind,
        text,
    })
}
