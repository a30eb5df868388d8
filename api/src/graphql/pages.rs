//! Pages as Relay connections.
//!
//! Does not know what is listed.

use async_graphql::{
    OutputType,
    connection::{Connection, Edge, EmptyFields},
};
use projections::{
    PageError, PageOf, PageRequest,
    page::{FIRST_DEFAULT, FIRST_MAX},
};

use crate::problem::{Fault, Problem};

/// A connection to nodes of one type.
pub type Page<T> = Connection<String, T, EmptyFields, EmptyFields>;

/// The page that `first` and `after` ask for.
pub fn request(first: Option<i32>, after: Option<&str>) -> Result<PageRequest, Problem> {
    let first = first.map(|first| u64::try_from(first).unwrap_or(0));
    PageRequest::parse(first, after).map_err(|error| {
        let name = match error {
            PageError::First { .. } => "first",
            PageError::Malformed | PageError::OtherList { .. } | PageError::Order { .. } => "after",
        };
        Problem::invalid_parameters(vec![Fault::of(name, error.to_string())])
    })
}

/// What a page costs: its rows, each with what is asked of it. More rows than a page has are
/// refused by [`request`], with a clearer word.
pub fn complexity(first: Option<i32>, row: usize) -> usize {
    let rows = first.map_or(FIRST_DEFAULT, |first| u32::try_from(first).unwrap_or(0));
    rows.min(FIRST_MAX) as usize * row + 1
}

/// The page as a connection.
pub fn connection<R, T: OutputType>(
    page: PageOf<R>,
    request: &PageRequest,
    node: impl Fn(R) -> T,
) -> Page<T> {
    let mut connection = Connection::new(request.after().is_some(), page.has_next);
    let edges = page.cursors.iter().zip(page.items);
    connection.edges.extend(edges.map(|(cursor, row)| Edge::new(cursor.to_string(), node(row))));
    connection
}

/// A page of a list without rows.
pub fn nothing<R>() -> PageOf<R> {
    PageOf { items: Vec::new(), cursors: Vec::new(), next: None, has_next: false }
}
