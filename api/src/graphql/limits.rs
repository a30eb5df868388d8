//! How much one GraphQL request may ask for.
//!
//! Depth, complexity and directives are counted by the library; what it does not count, or only by
//! walking every spread of every fragment, is counted here first, each fragment once.

use std::collections::HashMap;

use async_graphql::{
    Name, Positioned,
    parser::types::{ExecutableDocument, FragmentDefinition, Selection, SelectionSet},
};

use crate::problem::{Kind, Problem};

/// The deepest nesting of fields: the standard introspection query has 13 levels within lists of types.
pub const DEPTH_MAX: usize = 24;
/// The highest complexity: one for each field, times the rows of the lists around it.
pub const COMPLEXITY_MAX: usize = 20_000;
/// The most aliases in one document, fragments counted where they are spread.
pub const ALIASES_MAX: usize = 30;
/// The most fields in one document, fragments counted where they are spread.
pub const FIELDS_MAX: usize = 2_000;
/// The most directives on one field.
pub const DIRECTIVES_MAX: usize = 10;
/// The most operations in one batch.
pub const BATCH_MAX: usize = 10;

/// The limits of GraphQL requests.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The deepest nesting of fields.
    pub depth_max: usize,
    /// The highest complexity.
    pub complexity_max: usize,
    /// The most aliases in one document.
    pub aliases_max: usize,
    /// The most fields in one document.
    pub fields_max: usize,
    /// The most directives on one field.
    pub directives_max: usize,
    /// The most operations in one batch.
    pub batch_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            depth_max: DEPTH_MAX,
            complexity_max: COMPLEXITY_MAX,
            aliases_max: ALIASES_MAX,
            fields_max: FIELDS_MAX,
            directives_max: DIRECTIVES_MAX,
            batch_max: BATCH_MAX,
        }
    }
}

impl Limits {
    /// Refuses a document with too many fields or aliases, or with fragments that spread themselves.
    pub fn check(&self, document: &ExecutableDocument) -> Result<(), Problem> {
        let mut counter = Counter { fragments: &document.fragments, known: HashMap::new() };
        let mut total = Count::default();
        for (_, operation) in document.operations.iter() {
            total = total.and(counter.count(&operation.node.selection_set.node)?);
        }
        let over = |what: &str, max: usize, found: usize| {
            let detail = format!("the document has {found} {what}, at most {max} are allowed");
            Problem::new(Kind::QueryLimit, detail).with("limit", what).with("max", max)
        };
        if total.fields > self.fields_max {
            return Err(over("fields", self.fields_max, total.fields));
        }
        if total.aliases > self.aliases_max {
            return Err(over("aliases", self.aliases_max, total.aliases));
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Default)]
struct Count {
    fields: usize,
    aliases: usize,
}

impl Count {
    fn and(self, other: Count) -> Count {
        Count {
            fields: self.fields.saturating_add(other.fields),
            aliases: self.aliases.saturating_add(other.aliases),
        }
    }
}

struct Counter<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    /// What a fragment holds; none while it is being counted.
    known: HashMap<&'a str, Option<Count>>,
}

impl<'a> Counter<'a> {
    fn count(&mut self, set: &'a SelectionSet) -> Result<Count, Problem> {
        let mut total = Count::default();
        for selection in &set.items {
            let found = match &selection.node {
                Selection::Field(field) => {
                    let own = Count { fields: 1, aliases: usize::from(field.node.alias.is_some()) };
                    own.and(self.count(&field.node.selection_set.node)?)
                }
                Selection::InlineFragment(fragment) => {
                    self.count(&fragment.node.selection_set.node)?
                }
                Selection::FragmentSpread(spread) => {
                    self.fragment(&spread.node.fragment_name.node)?
                }
            };
            total = total.and(found);
        }
        Ok(total)
    }

    fn fragment(&mut self, name: &Name) -> Result<Count, Problem> {
        // An unknown fragment is validation's to refuse.
        let Some((name, fragment)) = self.fragments.get_key_value(name.as_str()) else {
            return Ok(Count::default());
        };
        match self.known.get(name.as_str()) {
            Some(Some(count)) => return Ok(*count),
            Some(None) => {
                let detail = format!("the fragment {name} spreads itself");
                return Err(Problem::new(Kind::InvalidQuery, detail));
            }
            None => {}
        }
        self.known.insert(name.as_str(), None);
        let count = self.count(&fragment.node.selection_set.node)?;
        self.known.insert(name.as_str(), Some(count));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    fn check(document: &str) -> Option<String> {
        let document = parse_query(document).unwrap();
        Limits::default().check(&document).err().map(|problem| problem.detail().to_owned())
    }

    #[test]
    fn aliases_are_counted_through_fragments() {
        assert_eq!(check("{ a: x b: x c }"), None);
        let body: String = (0..16).map(|n| format!("a{n}: x ")).collect();
        let twice = format!("{{ ...F ...F }} fragment F on Query {{ {body} }}");
        assert_eq!(check(&twice).unwrap(), "the document has 32 aliases, at most 30 are allowed");
    }

    #[test]
    fn fragments_that_multiply_are_counted_without_walking_them() {
        let mut document = "{ ...F0 }".to_owned();
        for n in 0..40 {
            document += &format!(" fragment F{n} on Query {{ ...F{} ...F{} }}", n + 1, n + 1);
        }
        document += " fragment F40 on Query { x }";
        let found = check(&document).unwrap();
        assert!(found.ends_with("fields, at most 2000 are allowed"), "{found}");
    }

    #[test]
    fn fragments_that_spread_themselves_are_refused() {
        let found = check("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }");
        assert_eq!(found.unwrap(), "the fragment A spreads itself");
    }
}
