//! Between columns and core types.

use std::str::FromStr;

use sea_orm::{ActiveValue, Value};

use super::StoreError;

/// Reads a word column of `table` as the type it stands for.
pub(super) fn word<T>(table: &'static str, text: &str) -> Result<T, StoreError>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| StoreError::unreadable(table, error))
}

/// [`word`] for a column that may be empty.
pub(super) fn word_or_none<T>(table: &'static str, text: Option<&str>) -> Result<Option<T>, StoreError>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    text.map(|text| word(table, text)).transpose()
}

/// A count or size as databases keep it: both know signed numbers only.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The way back from [`signed`].
pub(super) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// The way back from [`signed`] for small counts.
pub(super) fn small(value: i64) -> u32 {
    u32::try_from(value.max(0)).unwrap_or(u32::MAX)
}

/// Reads 32 bytes written as hex.
pub(super) fn hash(table: &'static str, text: &str) -> Result<[u8; 32], StoreError> {
    let bytes = hex::decode(text).map_err(|error| StoreError::unreadable(table, error))?;
    bytes
        .try_into()
        .map_err(|_| StoreError::unreadable(table, "a hash that is not 32 bytes"))
}

/// A column set to a value.
pub(super) fn set<T: Into<Value>>(value: T) -> ActiveValue<T> {
    ActiveValue::Set(value)
}
