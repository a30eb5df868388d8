//! Pages: how a list is cut into pieces, and the cursors that name where a piece ended.
//!
//! Does not know what is listed: a cursor holds the sort key of one row, whatever that is.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sqlx::{Postgres, QueryBuilder};

/// The most rows of one page.
pub const FIRST_MAX: u32 = 100;
/// The rows of a page when nobody says how many.
pub const FIRST_DEFAULT: u32 = 20;
/// The longest cursor that is looked at, in bytes.
const CURSOR_BYTES_MAX: usize = 1_024;
/// The form of cursors; a change of form makes older ones invalid rather than misread.
const CURSOR_FORM: u32 = 1;

/// Why a request for a page is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// Too many rows, or none.
    #[error("first is 1 to {FIRST_MAX}, not {first}")]
    First {
        /// What was asked for.
        first: u64,
    },
    /// Not a cursor that this interface gave out.
    #[error("the cursor is not one that this interface gave out")]
    Malformed,
    /// A cursor of another list, or of another order of the same list.
    #[error("the cursor belongs to the list {found:?}, not to {expected:?}")]
    OtherList {
        /// The list it came from, with its order.
        found: String,
        /// The list that was asked.
        expected: String,
    },
    /// No order that the list has.
    #[error("{found:?} is no order of this list: it has {names:?}")]
    Order {
        /// What was asked for.
        found: String,
        /// What there is.
        names: &'static [&'static str],
    },
}

/// Where a page ended: opaque to whoever holds it. Names its list, so that it is refused elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    list: String,
    key: Vec<String>,
}

impl Cursor {
    /// The cursor of the row with this sort key in this list.
    pub(crate) fn new(list: &str, key: Vec<String>) -> Cursor {
        Cursor { list: list.to_owned(), key }
    }

    /// The sort key, when the cursor belongs to this list and has this many parts.
    pub(crate) fn key<const N: usize>(&self, list: &str) -> Result<[&str; N], PageError> {
        if self.list != list {
            let found = self.list.clone();
            return Err(PageError::OtherList { found, expected: list.to_owned() });
        }
        let parts: Vec<&str> = self.key.iter().map(String::as_str).collect();
        parts.try_into().map_err(|_| PageError::Malformed)
    }
}

/// Reads one part of a cursor's sort key.
pub(crate) fn part<T: FromStr>(text: &str) -> Result<T, PageError> {
    text.parse().map_err(|_| PageError::Malformed)
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = serde_json::to_string(&(CURSOR_FORM, &self.list, &self.key));
        f.write_str(&URL_SAFE_NO_PAD.encode(content.map_err(|_| fmt::Error)?))
    }
}

impl FromStr for Cursor {
    type Err = PageError;

    fn from_str(text: &str) -> Result<Cursor, PageError> {
        if text.len() > CURSOR_BYTES_MAX {
            return Err(PageError::Malformed);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| PageError::Malformed)?;
        let (form, list, key): (u32, String, Vec<String>) =
            serde_json::from_slice(&bytes).map_err(|_| PageError::Malformed)?;
        if form != CURSOR_FORM {
            return Err(PageError::Malformed);
        }
        Ok(Cursor { list, key })
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Cursor, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Which piece of a list is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    first: u32,
    after: Option<Cursor>,
}

impl Default for PageRequest {
    fn default() -> PageRequest {
        PageRequest { first: FIRST_DEFAULT, after: None }
    }
}

impl PageRequest {
    /// The `first` rows (1 to [`FIRST_MAX`]) after the cursor, or from the beginning.
    pub fn new(first: u32, after: Option<Cursor>) -> Result<PageRequest, PageError> {
        if !(1..=FIRST_MAX).contains(&first) {
            return Err(PageError::First { first: u64::from(first) });
        }
        Ok(PageRequest { first, after })
    }

    /// As a client writes it: absent `first` means [`FIRST_DEFAULT`].
    pub fn parse(first: Option<u64>, after: Option<&str>) -> Result<PageRequest, PageError> {
        let asked = first.unwrap_or(u64::from(FIRST_DEFAULT));
        let first = u32::try_from(asked).map_err(|_| PageError::First { first: asked })?;
        PageRequest::new(first, after.map(str::parse).transpose()?)
    }

    /// How many rows at most.
    pub fn first(&self) -> u32 {
        self.first
    }

    /// Where the page before ended.
    pub fn after(&self) -> Option<&Cursor> {
        self.after.as_ref()
    }

    /// How many rows a statement asks for: one more than wanted tells whether there is a next page.
    pub(crate) fn limit(&self) -> i64 {
        i64::from(self.first) + 1
    }

    /// The page of a whole list that is in memory, in the order of its keys.
    pub fn cut<T>(&self, list: &str, sorted: Vec<(String, T)>) -> Result<PageOf<T>, PageError> {
        let after = self.after().map(|cursor| cursor.key::<1>(list)).transpose()?;
        let beyond = |key: &String| after.is_none_or(|[after]| key.as_str() > after);
        let rest = sorted.into_iter().filter(|(key, _)| beyond(key));
        let wanted = usize::try_from(self.first).unwrap_or(usize::MAX);
        let some: Vec<(String, T)> = rest.take(wanted + 1).collect();
        let page = self.page(some, |(key, _)| Cursor::new(list, vec![key.clone()]));
        let PageOf { items, cursors, next, has_next } = page;
        let items = items.into_iter().map(|(_, item)| item).collect();
        Ok(PageOf { items, cursors, next, has_next })
    }

    /// Makes the page from what a statement answered that [`Numbered::end`] ended, or one like it:
    /// one row more than wanted tells whether there is a next page.
    pub fn page<T>(&self, mut items: Vec<T>, cursor: impl Fn(&T) -> Cursor) -> PageOf<T> {
        let wanted = usize::try_from(self.first).unwrap_or(usize::MAX);
        let has_next = items.len() > wanted;
        items.truncate(wanted);
        let cursors: Vec<Cursor> = items.iter().map(cursor).collect();
        let next = if has_next { cursors.last().cloned() } else { None };
        PageOf { items, cursors, next, has_next }
    }
}

/// A list by a number, the greatest first, and of one number by a key of bytes.
pub(crate) struct Ranked {
    pub table: &'static str,
    pub number: &'static str,
    pub key: &'static str,
}

impl Ranked {
    /// The keys of the page after a row, as a query: many have the same number, so the rest of it
    /// by its keys, then the lower ones; each by the index over both, and no further than the page.
    pub fn push_after(
        &self,
        sql: &mut QueryBuilder<Postgres>,
        (number, key): (&str, &[u8]),
        page: &PageRequest,
    ) {
        let Ranked { table, number: by, key: named } = self;
        sql.push(format!("(select {named} from {table} where {by} = "));
        sql.push_bind(number.to_owned()).push(format!("::numeric and {named} > "));
        sql.push_bind(key.to_vec()).push(format!(" order by {named} limit "));
        sql.push_bind(page.limit());
        sql.push(format!(") union all (select {named} from {table} where {by} < "));
        sql.push_bind(number.to_owned());
        sql.push(format!("::numeric order by {by} desc, {named} limit "));
        sql.push_bind(page.limit()).push(")");
    }
}

/// Every row of a list, page by page.
pub async fn every<T, E, F, Asked>(mut page_of: F) -> Result<Vec<T>, E>
where
    F: FnMut(PageRequest) -> Asked,
    Asked: Future<Output = Result<PageOf<T>, E>>,
{
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = page_of(PageRequest { first: FIRST_MAX, after }).await?;
        found.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(found),
        }
    }
}

/// The order of a list of things that happened one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The last one first.
    #[default]
    Newest,
    /// The first one first.
    Oldest,
}

impl Order {
    /// The names of all orders, as in requests.
    pub const NAMES: &'static [&'static str] = &["newest", "oldest"];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Order::Newest => "newest",
            Order::Oldest => "oldest",
        }
    }

    /// How the statement compares with the row of the cursor.
    pub(crate) const fn comparison(self) -> &'static str {
        match self {
            Order::Newest => " < ",
            Order::Oldest => " > ",
        }
    }

    /// How the statement sorts.
    pub(crate) const fn direction(self) -> &'static str {
        match self {
            Order::Newest => " desc",
            Order::Oldest => " asc",
        }
    }
}

impl FromStr for Order {
    type Err = PageError;

    fn from_str(name: &str) -> Result<Order, PageError> {
        match name {
            "newest" => Ok(Order::Newest),
            "oldest" => Ok(Order::Oldest),
            other => Err(PageError::Order { found: other.to_owned(), names: Order::NAMES }),
        }
    }
}

/// A list whose sort key is one `bigint` column.
#[derive(Debug)]
pub struct Numbered {
    /// Its name in cursors; the order is added.
    pub list: &'static str,
    /// The column.
    pub column: &'static str,
    /// The order wanted.
    pub order: Order,
}

impl Numbered {
    /// The cursor of the row with this number.
    pub fn cursor(&self, number: u64) -> Cursor {
        Cursor::new(&self.name(), vec![number.to_string()])
    }

    fn name(&self) -> String {
        format!("{}/{}", self.list, self.order.as_str())
    }

    /// Ends a statement whose `where` has begun: what comes after the cursor, sorted and cut.
    pub fn end(
        &self,
        sql: &mut QueryBuilder<Postgres>,
        page: &PageRequest,
    ) -> Result<(), PageError> {
        if let Some(cursor) = page.after() {
            let [number] = cursor.key(&self.name())?;
            sql.push(" and ").push(self.column).push(self.order.comparison());
            sql.push_bind(part::<i64>(number)?);
        }
        sql.push(" order by ").push(self.column).push(self.order.direction());
        sql.push(" limit ").push_bind(page.limit());
        Ok(())
    }
}

/// Makes one page of each group of rows that stand together and share a key.
pub(crate) fn grouped<K: PartialEq, T>(
    page: &PageRequest,
    rows: Vec<T>,
    key: impl Fn(&T) -> K,
    cursor: impl Fn(&T) -> Cursor,
) -> Vec<(K, PageOf<T>)> {
    let mut groups: Vec<(K, Vec<T>)> = Vec::new();
    for row in rows {
        let of = key(&row);
        match groups.last_mut() {
            Some((group, members)) if *group == of => members.push(row),
            Some(_) | None => groups.push((of, vec![row])),
        }
    }
    groups.into_iter().map(|(group, members)| (group, page.page(members, &cursor))).collect()
}

/// A piece of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PageOf<T> {
    /// The rows, in the order asked for.
    pub items: Vec<T>,
    /// The cursor of each row.
    #[serde(skip)]
    pub cursors: Vec<Cursor>,
    /// Ask with this for what follows; none when nothing does.
    pub next: Option<Cursor>,
    /// Whether anything follows.
    pub has_next: bool,
}

impl<T> PageOf<T> {
    /// The same page of something made of each row.
    pub(crate) fn map<U>(self, of: impl FnMut(T) -> U) -> PageOf<U> {
        let PageOf { items, cursors, next, has_next } = self;
        PageOf { items: items.into_iter().map(of).collect(), cursors, next, has_next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_is_refused_by_other_lists() {
        let cursor = Cursor::new("validators/power", vec!["12".into(), "AB".into()]);
        let read: Cursor = cursor.to_string().parse().unwrap();
        assert_eq!(read, cursor);
        assert_eq!(read.key::<2>("validators/power"), Ok(["12", "AB"]));
        assert_eq!(read.key::<1>("validators/power"), Err(PageError::Malformed));
        let other = read.key::<2>("validators/moniker").unwrap_err();
        assert!(matches!(other, PageError::OtherList { .. }), "{other:?}");
    }

    #[test]
    fn anything_else_is_no_cursor() {
        let other_form = URL_SAFE_NO_PAD.encode(r#"[2,"validators/power",["1"]]"#);
        let long = URL_SAFE_NO_PAD.encode("x".repeat(CURSOR_BYTES_MAX));
        for text in ["", "?", "bm90IGEgY3Vyc29y", "W10", &other_form, &long] {
            assert_eq!(text.parse::<Cursor>(), Err(PageError::Malformed), "{text}");
        }
    }

    #[test]
    fn a_page_has_one_to_a_hundred_rows() {
        for first in [0, 101, u64::from(u32::MAX) + 1] {
            assert_eq!(PageRequest::parse(Some(first), None), Err(PageError::First { first }));
        }
        assert_eq!(PageRequest::parse(Some(100), None).unwrap().first(), 100);
        assert_eq!(PageRequest::parse(None, None).unwrap().first(), FIRST_DEFAULT);
    }

    #[test]
    fn rows_of_many_keys_become_one_page_for_each() {
        let request = PageRequest::new(1, None).unwrap();
        let rows = vec![("a", 1), ("a", 2), ("b", 3)];
        let cursor = |row: &(&str, u32)| Cursor::new("n", vec![row.1.to_string()]);
        let pages = grouped(&request, rows, |row| row.0, cursor);
        let shown = pages.iter().map(|(key, page)| (*key, &page.items[..], page.has_next));
        let expected = [("a", &[("a", 1)][..], true), ("b", &[("b", 3)][..], false)];
        assert_eq!(shown.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn one_row_too_many_means_that_there_is_a_next_page() {
        let request = PageRequest::new(2, None).unwrap();
        let cursor = |n: &u32| Cursor::new("n", vec![n.to_string()]);
        let last = request.page(vec![1, 2], cursor);
        assert_eq!((last.items, last.next, last.has_next), (vec![1, 2], None, false));
        assert_eq!(last.cursors, [1, 2].map(|n| cursor(&n)));
        let more = request.page(vec![1, 2, 3], cursor);
        let next = Some(Cursor::new("n", vec!["2".into()]));
        assert_eq!((more.items, more.next, more.has_next), (vec![1, 2], next, true));
    }
}
