//! Letters to people whose address nobody else sees: it is opened for the letter, and forgotten.
//!
//! Does not know what is written.

use domain::{
    aggregate::{self, Aggregate as _},
    identity::principal::{Event, Principal, Standing},
    values::PrincipalId,
};
use event_store::StreamName;

use super::Identities;
use crate::problem::Problem;

/// How many events of somebody's beginning are looked at for the address they were invited by.
const EVENTS_MAX: usize = 16;

impl Identities {
    /// Writes to somebody that there is something to look at, and where; whether there is an
    /// address. Only who is active is written to.
    pub async fn write_to(
        &self,
        id: &PrincipalId,
        subject: &str,
        what: &str,
        path: &str,
    ) -> Result<bool, Problem> {
        let standing = self.commands.directory().identity(id).map(|identity| identity.standing);
        if standing != Some(Standing::Active) {
            return Ok(false);
        }
        let Some(email) = self.email_of(id).await? else { return Ok(false) };
        self.mail.tell(email, subject.to_owned(), what, path);
        Ok(true)
    }

    async fn email_of(&self, id: &PrincipalId) -> Result<Option<String>, Problem> {
        let stream = StreamName::of(Principal::CATEGORY, id).map_err(Problem::internal)?;
        let stored = self.commands.store().read_stream(&stream, 1, EVENTS_MAX).await?;
        let invited = stored.iter().rev().find_map(|stored| {
            let record = stored.parse().ok()?;
            let event = aggregate::read(record.event_type, record.data.get()).ok()?;
            if let Event::PrincipalInvited(data) = event { Some(data.email) } else { None }
        });
        match invited {
            Some(email) => self.open_personal(id, &email).await,
            None => Ok(None),
        }
    }
}
