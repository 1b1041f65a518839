//! Which template and line every line of an answer came from.

use std::{collections::HashMap, sync::Arc};

use minijinja::{OutputSpan, OutputSpanKind};

use super::library::Shelf;

/// Where a line of an answer came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineOrigin {
    /// The full name of the template or snippet, such as `built-in/snippets/redhat/network`.
    pub template: Arc<str>,
    /// Its line, from 1.
    pub line: usize,
}

/// The origin of every line of `text`: that of the first span that writes something visible into it.
///
/// `cut` bytes of blank space were taken from the beginning of what the spans speak of.
pub(super) fn line_origins(text: &str, cut: usize, spans: &[OutputSpan], shelf: &Shelf) -> Vec<LineOrigin> {
    let mut names: HashMap<&str, Arc<str>> = HashMap::new();
    let mut origins = Vec::new();
    let mut spans = spans.iter().peekable();
    let mut begin = 0;
    for line in text.split_inclusive('\n') {
        let end = begin + line.len();
        let visible = begin + (line.len() - line.trim_start().len()).min(line.len().saturating_sub(1));
        while spans
            .peek()
            .is_some_and(|span| span.output_range().end.saturating_sub(cut) <= visible)
            && spans.len() > 1
        {
            spans.next();
        }
        if let Some(span) = spans.peek() {
            let name = names.entry(span.name()).or_insert_with(|| Arc::from(span.name()));
            origins.push(LineOrigin {
                template: Arc::clone(name),
                line: source_line(span, visible + cut, shelf),
            });
        }
        begin = end;
    }
    origins
}

/// The line in the span's template that wrote the byte at `offset` of the output.
fn source_line(span: &OutputSpan, offset: usize, shelf: &Shelf) -> usize {
    let within = offset.saturating_sub(span.output_range().start);
    if span.kind() != OutputSpanKind::Raw || within == 0 {
        return span.line();
    }
    let source = shelf.source(span.name());
    let start = span.source_range().start;
    let breaks = source
        .as_deref()
        .and_then(|source| source.as_bytes().get(start..start + within))
        .map_or(0, |bytes| bytes.iter().filter(|byte| **byte == b'\n').count());
    span.line() + breaks
}
