//! The text format of Prometheus, version 0.0.4.

use std::fmt::{Display, Write as _};

/// What a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Goes up and down.
    Gauge,
    /// Counts from the start of the process.
    Counter,
}

/// Families of numbers, one after the other.
#[derive(Debug, Default)]
pub(super) struct Exposition(String);

impl Exposition {
    /// A family with its numbers, each with its labels. A family without numbers is left out.
    pub(super) fn family<Number: Display>(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        numbers: impl IntoIterator<Item = (Vec<(&'static str, String)>, Number)>,
    ) {
        let kind = match kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        };
        let mut numbers = numbers.into_iter().peekable();
        if numbers.peek().is_none() {
            return;
        }
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, number) in numbers {
            self.0.push_str(name);
            let mut mark = '{';
            for (label, value) in &labels {
                let _ = write!(self.0, "{mark}{label}=\"{}\"", escaped(value));
                mark = ',';
            }
            if !labels.is_empty() {
                self.0.push('}');
            }
            let _ = writeln!(self.0, " {number}");
        }
    }

    /// A family of one number without labels.
    pub(super) fn single(&mut self, name: &str, kind: Kind, help: &str, number: impl Display) {
        self.family(name, kind, help, [(Vec::new(), number)]);
    }

    /// The whole text.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_cannot_break_out_of_their_line() {
        let mut text = Exposition::default();
        text.single("a_total", Kind::Counter, "All.", 3);
        text.family(
            "b",
            Kind::Gauge,
            "Some.",
            [(vec![("x", "a\"\n\\".to_owned()), ("y", String::new())], 1.5)],
        );
        text.family(
            "c",
            Kind::Gauge,
            "None.",
            Vec::<(Vec<(&'static str, String)>, u64)>::new(),
        );
        assert_eq!(
            text.into_text(),
            "# HELP a_total All.\n# TYPE a_total counter\na_total 3\n\
             # HELP b Some.\n# TYPE b gauge\nb{x=\"a\\\"\\n\\\\\",y=\"\"} 1.5\n"
        );
    }
}
