//! Query strings and path parameters: parsed with all their faults at once, nothing unknown let by.
//!
//! Does not know what the parameters are for.

use std::{fmt::Display, str::FromStr};

use axum::{
    extract::{FromRequestParts, RawPathParams, Request},
    http::request::Parts,
};
use projections::PageRequest;

use crate::{
    problem::{Fault, Kind, Problem},
    replays::surface,
    server::App,
};

/// The parameters of one query string, taken one by one; [`Params::finish`] reports what was wrong.
#[derive(Debug)]
pub struct Params {
    given: Vec<(String, String)>,
    known: Vec<&'static str>,
    faults: Vec<Fault>,
}

impl Params {
    /// Reads a query string.
    pub fn of(query: Option<&str>) -> Params {
        let mut given = query.map(decode).unwrap_or_default();
        // Whoever names a replay is sent there, or refused, before anything is asked.
        given.retain(|(name, _)| name != surface::PARAMETER);
        Params { given, known: Vec::new(), faults: Vec::new() }
    }

    /// One parameter, when it is given and keeps its rule. Its faults are remembered.
    pub fn take<T: FromStr<Err: Display>>(&mut self, name: &'static str) -> Option<T> {
        let text = self.text(name)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.faults.push(Fault::of(name, format!("{error}")));
                None
            }
        }
    }

    /// A position of the log, or a version within a stream.
    pub fn position(&mut self, name: &'static str) -> Option<u64> {
        let position = self.take::<u64>(name)?;
        let fits = i64::try_from(position).is_ok();
        if !fits {
            self.fault(name, format!("must be 0 to {}", i64::MAX));
        }
        fits.then_some(position)
    }

    /// One parameter out of named values.
    pub fn choose<T: Copy>(
        &mut self,
        name: &'static str,
        all: &[T],
        as_str: impl Fn(T) -> &'static str,
    ) -> Option<T> {
        let text = self.text(name)?;
        let found = all.iter().copied().find(|one| as_str(*one) == text);
        if found.is_none() {
            let names: Vec<&str> = all.iter().map(|one| as_str(*one)).collect();
            self.fault(name, format!("{text:?} is none of {}", names.join(", ")));
        }
        found
    }

    /// The page asked for with `first` and `after`.
    pub fn page(&mut self) -> PageRequest {
        let first = self.take::<u64>("first");
        let after = self.text("after");
        let alone = [
            ("first", PageRequest::parse(first, None)),
            ("after", PageRequest::parse(None, after.as_deref())),
        ];
        for (name, parsed) in alone {
            if let Err(error) = parsed {
                self.fault(name, error.to_string());
            }
        }
        PageRequest::parse(first, after.as_deref()).unwrap_or_default()
    }

    /// The text of one parameter; a second one of the same name is a fault.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let mut values = self.given.extract_if(.., |(given, _)| given == name);
        let first = values.next().map(|(_, value)| value);
        if values.next().is_some() {
            drop(values);
            self.fault(name, "is given more than once");
        }
        first
    }

    /// Remembers a fault that only the handler can see.
    pub fn fault(&mut self, name: &'static str, detail: impl Into<String>) {
        self.faults.push(Fault::of(name, detail));
    }

    /// Everything that was wrong, unknown parameters included.
    pub fn finish(mut self) -> Result<(), Problem> {
        let known = match self.known.as_slice() {
            [] => "this path takes none".to_owned(),
            known => format!("known are {}", known.join(", ")),
        };
        for (name, _) in std::mem::take(&mut self.given) {
            self.faults.push(Fault::of(name, format!("is not known here; {known}")));
        }
        if self.faults.is_empty() { Ok(()) } else { Err(Problem::invalid_parameters(self.faults)) }
    }
}

/// The pairs of a query string, decoded.
pub fn decode(query: &str) -> Vec<(String, String)> {
    // Cannot fail: every string is a list of pairs to this parser.
    let uri = axum::http::Uri::builder().path_and_query(format!("/?{query}")).build();
    uri.ok()
        .and_then(|uri| axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri).ok())
        .map(|pairs| pairs.0)
        .unwrap_or_default()
}

/// The path's parameters.
#[derive(Debug)]
pub struct PathParams(Vec<(String, String)>);

impl PathParams {
    /// One of them, parsed; what breaks its rule is a fault of the path.
    pub fn get<T: FromStr<Err: Display>>(&self, name: &'static str) -> Result<T, Problem> {
        self.text(name)
            .parse()
            .map_err(|error: T::Err| Problem::invalid_parameter(name, error.to_string()))
    }

    /// The text of one of them; empty when the route has none by that name.
    pub fn text(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(given, _)| given == name);
        found.map_or("", |(_, value)| value.as_str())
    }
}

impl FromRequestParts<App> for PathParams {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &App) -> Result<PathParams, Problem> {
        let raw = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::new(Kind::Malformed, "the path is not percent-encoded UTF-8"))?;
        let owned = raw.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(PathParams(owned.collect()))
    }
}

impl FromRequestParts<App> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Params, Problem> {
        Ok(Params::of(parts.uri.query()))
    }
}

/// Refuses a query string where there is nothing to ask for.
pub fn none_taken(request: &Request) -> Result<(), Problem> {
    Params::of(request.uri().query()).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_of_a_query_string_are_named_at_once() {
        let mut params = Params::of(Some("first=0&power=x&colour=red&a=1&a=2"));
        params.page();
        params.take::<u64>("power");
        params.text("a");
        let problem = params.finish().unwrap_err();
        let errors = problem.members("r")["errors"].as_array().unwrap().clone();
        let names: Vec<_> = errors.iter().map(|e| e["parameter"].as_str().unwrap()).collect();
        assert_eq!(names, ["first", "power", "a", "colour"]);
        let unknown = errors[3]["detail"].as_str().unwrap();
        assert_eq!(unknown, "is not known here; known are first, after, power, a");
    }

    #[test]
    fn percent_encoding_and_plus_are_read() {
        let mut params = Params::of(Some("a=x%20y+z%2B"));
        assert_eq!(params.text("a").as_deref(), Some("x y z+"));
        params.finish().unwrap();
    }
}
