//! Bulkheads: how many requests of a class are under way at once, so that a flood of one class
//! leaves room for the others (Nygard, Release It!, 2007).
//!
//! Does not know what the requests are.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use crate::{
    operations::Class,
    problem::{Kind, Problem},
};

/// The places of each class.
#[derive(Debug)]
pub struct Bulkheads {
    taken: [AtomicU32; Class::ALL.len()],
    limits: Limits,
}

/// How many requests may be under way at once.
#[derive(Clone, Debug)]
pub struct Limits {
    /// All together, but for those that are vital and those that validators agree by.
    pub requests: u32,
    /// Queries.
    pub queries: u32,
    /// Sign-ins: each costs a core for a while.
    pub sign_ins: u32,
}

/// A place; free again when it is dropped.
pub struct Place {
    bulkheads: Arc<Bulkheads>,
    class: Class,
}

impl Bulkheads {
    /// With these limits.
    pub fn new(limits: Limits) -> Arc<Bulkheads> {
        Arc::new(Bulkheads { taken: Default::default(), limits })
    }

    /// Takes a place; 503 when there is none.
    pub fn enter(self: &Arc<Self>, class: Class) -> Result<Place, Problem> {
        self.taken[class as usize].fetch_add(1, Ordering::Relaxed);
        let place = Place { bulkheads: Arc::clone(self), class };
        let (under_way, limit) = match class {
            // Nothing that is not under way by itself keeps these out.
            Class::Vital | Class::Consensus => return Ok(place),
            Class::Command => (self.shared(), self.limits.requests),
            Class::Query if self.of(class) > self.limits.queries => {
                (self.of(class), self.limits.queries)
            }
            Class::SignIn if self.of(class) > self.limits.sign_ins => {
                (self.of(class), self.limits.sign_ins)
            }
            Class::Query | Class::SignIn => (self.shared(), self.limits.requests),
        };
        if under_way <= limit {
            return Ok(place);
        }
        let detail = format!("{limit} requests like this are under way, which is the limit");
        Err(Problem::new(Kind::Overloaded, detail))
    }

    fn of(&self, class: Class) -> u32 {
        self.taken[class as usize].load(Ordering::Relaxed)
    }

    fn shared(&self) -> u32 {
        [Class::Command, Class::Query, Class::SignIn].map(|class| self.of(class)).iter().sum()
    }

    /// How many are under way.
    pub fn under_way(&self) -> u32 {
        Class::ALL.iter().map(|class| self.of(*class)).sum()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.bulkheads.taken[self.class as usize].fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_queries_leaves_room_for_commands_and_votes() {
        let bulkheads = Bulkheads::new(Limits { requests: 4, queries: 2, sign_ins: 1 });
        let queries: Vec<Place> = (0..2).map(|_| bulkheads.enter(Class::Query).unwrap()).collect();
        assert!(bulkheads.enter(Class::Query).is_err());
        let sign_in = bulkheads.enter(Class::SignIn).unwrap();
        assert!(bulkheads.enter(Class::SignIn).is_err());
        let command = bulkheads.enter(Class::Command).unwrap();
        assert!(bulkheads.enter(Class::Command).is_err(), "four are under way");
        let _votes: Vec<Place> =
            (0..100).map(|_| bulkheads.enter(Class::Consensus).unwrap()).collect();
        drop((queries, sign_in));
        assert_eq!(bulkheads.under_way(), 101);
        assert!(bulkheads.enter(Class::Query).is_ok(), "the refused gave their places back");
        drop(command);
    }
}
