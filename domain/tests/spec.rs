//! Given a history, when a command comes, then these events follow, or this refusal.
//!
//! Does not know any context.

use domain::aggregate::{Aggregate, Data, Event, Refusal, read};

/// A history, and what is known beside it.
pub struct Given<A: Aggregate> {
    pub state: A,
    pub known: A::Known,
}

impl<A: Aggregate> Clone for Given<A> {
    fn clone(&self) -> Self {
        Given { state: self.state.clone(), known: self.known.clone() }
    }
}

/// Nothing has happened.
pub fn given<A: Aggregate>(known: A::Known) -> Given<A> {
    Given { state: A::default(), known }
}

impl<A: Aggregate> Given<A> {
    /// A command that was accepted, with the events that followed.
    pub fn and(mut self, command: A::Command) -> Given<A> {
        let events = self.state.decide(&command, &self.known);
        let events = events.unwrap_or_else(|refusal| panic!("{command:?}: {refusal}"));
        events.iter().for_each(|event| self.state.evolve(event));
        self
    }

    /// Other circumstances.
    pub fn knowing(mut self, change: impl FnOnce(&mut A::Known)) -> Given<A> {
        change(&mut self.known);
        self
    }

    /// A command comes.
    pub fn when(self, command: A::Command) -> When<A> {
        let outcome = self.state.decide(&command, &self.known);
        When { given: self, outcome }
    }
}

/// What a command came to.
pub struct When<A: Aggregate> {
    given: Given<A>,
    outcome: Result<Vec<A::Event>, A::Refusal>,
}

impl<A: Aggregate> When<A> {
    /// Exactly these events follow, and each can be stored and read again.
    pub fn then(self, expected: Vec<A::Event>) -> Given<A> {
        let mut given = self.given;
        let events = self.outcome.unwrap_or_else(|refusal| panic!("refused: {refusal}"));
        assert_eq!(events, expected);
        for event in &events {
            assert_survives_storage(event);
            given.state.evolve(event);
        }
        given
    }

    /// Events with these names follow.
    pub fn then_named(self, expected: &[&str]) -> Given<A> {
        let mut given = self.given;
        let events = self.outcome.unwrap_or_else(|refusal| panic!("refused: {refusal}"));
        let names: Vec<_> = events.iter().map(|event| event.name().to_owned()).collect();
        let expected: Vec<_> = expected.iter().map(|name| format!("{name}.v1")).collect();
        assert_eq!(names, expected);
        for event in &events {
            assert_survives_storage(event);
            given.state.evolve(event);
        }
        given
    }

    /// The events, whatever they are.
    pub fn events(self) -> Vec<A::Event> {
        self.outcome.unwrap_or_else(|refusal| panic!("refused: {refusal}"))
    }

    /// It is refused, with exactly these numbers.
    pub fn refused(self, expected: A::Refusal) {
        let refusal = self.outcome.expect_err("it should have been refused");
        assert_eq!(refusal, expected);
        let json = serde_json::to_value(&refusal).unwrap();
        assert_eq!(json["code"], refusal.code());
    }

    /// It is refused for this reason.
    pub fn refused_as(self, code: &str) -> A::Refusal {
        let refusal = self.outcome.expect_err("it should have been refused");
        assert_eq!(refusal.code(), code, "{refusal}");
        let json = serde_json::to_value(&refusal).unwrap();
        assert_eq!(json["code"], code);
        refusal
    }
}

/// An event's data is canonical as serde writes it, and reads back as the same event.
pub fn assert_survives_storage<E: Event>(event: &E) {
    let data = serde_json::to_string(&Data(event)).unwrap();
    assert_eq!(data, serde_json_canonicalizer::to_string(&Data(event)).unwrap());
    assert_eq!(&read::<E>(event.name(), &data).unwrap(), event);
    let whole = serde_json::to_value(event).unwrap();
    assert_eq!(whole["type"], event.name());
    assert_eq!(serde_json::from_value::<E>(whole).unwrap(), *event);
    assert!(E::NAMES.contains(&event.name()));
}
