//! What lists of many rows have in common: filters with their counts, and the way from page to page.

use serde::Serialize;

/// A filter as a button, with how many rows it leaves.
#[derive(Serialize)]
pub(super) struct Pill {
    /// In the catalogue.
    pub(super) key: String,
    pub(super) count: u64,
    pub(super) address: String,
    pub(super) current: bool,
}

/// Where one is in a list.
#[derive(Serialize)]
pub(super) struct Pager {
    /// Of the first row shown, from 1; 0 when there is none.
    from: u64,
    to: u64,
    total: u64,
    page: u64,
    pages: u64,
    previous: Option<String>,
    next: Option<String>,
}

impl Pager {
    /// `shown` rows of `total` are on page `page`, from 1, and `size` fit on one; `address` gives that of another page.
    pub(super) fn new(page: u64, size: u64, shown: usize, total: u64, address: impl Fn(u64) -> String) -> Self {
        let (shown, pages) = (shown as u64, total.div_ceil(size).max(1));
        let before = (page - 1).saturating_mul(size);
        Self {
            from: if shown == 0 { 0 } else { before + 1 },
            to: if shown == 0 { 0 } else { before + shown },
            total,
            page,
            pages,
            previous: (page > 1).then(|| address(page - 1)),
            next: (page < pages).then(|| address(page + 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_page_has_no_next_and_an_empty_one_no_rows() {
        let last = Pager::new(3, 10, 4, 24, |page| format!("/?page={page}"));
        assert_eq!((last.from, last.to, last.pages), (21, 24, 3));
        assert_eq!(
            (last.previous.as_deref(), last.next.as_deref()),
            (Some("/?page=2"), None)
        );
        let empty = Pager::new(1, 10, 0, 0, |_| String::new());
        assert_eq!((empty.from, empty.to, empty.pages), (0, 0, 1));
        assert!(empty.previous.is_none() && empty.next.is_none());
    }
}
