//! An installation as a whole, to be compared: the answer file, and what the boot script says before it is fetched.

use std::fmt::Write as _;

use muster_facts::{Facts, MacAddr};

use super::{AnswersFault, input::Installation};
use crate::{
    install::{kernel_line, redact},
    provision::{HostDesired, install::AnswerContext},
    render::answer::{Library, render_plain},
};

/// Where the boot script's part begins.
const BOOT: &str = "----- booted with -----";

/// An installation as a whole. Two are the same when their secrets are too.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Whole {
    text: String,
    secrets: Vec<String>,
}

impl Whole {
    /// What may be shown of it.
    pub(super) fn shown(&self) -> String {
        redact(&self.text, self.secrets.iter().map(String::as_str))
    }
}

/// The answer file with the kernel, its initrd and its options below it.
pub(super) fn whole(
    library: &Library,
    desired: &HostDesired,
    facts: Option<&Facts>,
    context: &AnswerContext,
) -> Result<Whole, AnswersFault> {
    let installation = Installation::of(desired, facts)?;
    let answer = render_plain(library, installation.template()?, installation.answer_input(context))?;
    let plan = installation.plan()?;
    let at = |place: &str| {
        if place.starts_with('/') {
            format!("{}{place}", context.base_url)
        } else {
            place.to_owned()
        }
    };
    let tree = plan.tree.as_deref().map(at);
    // The same on both sides of a comparison where the machine has not reported yet.
    let mac = installation.mac().unwrap_or(MacAddr([0; 6]));
    let options = kernel_line(&plan.target(&context.answer_url, tree.as_deref(), mac, None));
    let mut text = answer.text;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{BOOT}\nkernel {}", at(&plan.kernel));
    for initrd in &plan.initrds {
        let _ = writeln!(text, "initrd {}", at(initrd));
    }
    let _ = writeln!(text, "options {options}");
    Ok(Whole {
        text,
        secrets: answer.secrets,
    })
}
