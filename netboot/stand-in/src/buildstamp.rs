//! `/.buildstamp`: what Anaconda's initramfs says it belongs to.

/// The values of section `Main` that are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Buildstamp {
    /// As `Rocky Linux`.
    pub(crate) product: String,
    /// As `9.6`.
    pub(crate) version: String,
}

impl Buildstamp {
    /// Reads the file; what is missing is empty, as in Anaconda's own reading of it.
    pub(crate) fn parse(text: &str) -> Self {
        let value = |key: &str| {
            text.lines()
                .skip_while(|line| line.trim() != "[Main]")
                .skip(1)
                .take_while(|line| !line.trim().starts_with('['))
                .filter_map(|line| line.split_once('='))
                .find(|(name, _)| name.trim() == key)
                .map_or_else(String::new, |(_, value)| value.trim().to_owned())
        };
        Self {
            product: value("Product"),
            version: value("Version"),
        }
    }

    /// First number of the version; 0 when there is none.
    pub(crate) fn major(&self) -> u32 {
        self.version
            .split('.')
            .next()
            .and_then(|major| major.parse().ok())
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_main_section_counts() {
        let stamp =
            Buildstamp::parse("[Other]\nProduct=No\n[Main]\nProduct=Rocky Linux\nVersion=9.6\n[Compose]\nVersion=1\n");
        assert_eq!(
            (stamp.product.as_str(), stamp.version.as_str(), stamp.major()),
            ("Rocky Linux", "9.6", 9)
        );
        assert_eq!(Buildstamp::parse("").major(), 0);
    }
}
